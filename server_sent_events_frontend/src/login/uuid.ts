/** Users are UUIDs in the text form of RFC 9562, in any case; this page writes them in lower case. */
const form = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export function parseUuid(text: string): string | null {
  const lower = text.trim().toLowerCase();
  return form.test(lower) ? lower : null;
}

/** A random UUID (version 4). randomUUID() exists on HTTPS and localhost only, getRandomValues() everywhere. */
export function makeUuid(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
