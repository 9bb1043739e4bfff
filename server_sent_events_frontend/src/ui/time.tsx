/** Times that stay true while you look at them: one clock for the page. */
import { useSyncExternalStore } from 'react';

const secondMs = 1_000;
const listeners = new Set<() => void>();
let now = Date.now();
let clock: ReturnType<typeof setInterval> | undefined;

function subscribe(listener: () => void): () => void {
  if (listeners.size === 0) {
    now = Date.now();
    clock = setInterval(() => {
      now = Date.now();
      for (const each of listeners) each();
    }, secondMs);
  }
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) clearInterval(clock);
  };
}

/** `just now`, `12 s ago`, `3 min ago`. React re-renders it only when the words change. */
export function Ago({ at }: { at: string }) {
  const words = useSyncExternalStore(subscribe, () => ago(now - Date.parse(at)));
  return (
    <time dateTime={at} title={new Date(at).toLocaleString()}>
      {words}
    </time>
  );
}

/** A server's clock may be ahead of ours: what lies in the future was just now. */
export function ago(ms: number): string {
  return ms < 5 * secondMs ? 'just now' : `${duration(ms)} ago`;
}

export function duration(ms: number): string {
  const units: [string, number][] = [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['min', 60_000],
    ['s', 1_000],
  ];
  const [unit, length] = units.find(([, each]) => ms >= each) ?? ['ms', 1];
  return `${Math.max(0, Math.floor(ms / length))} ${unit}`;
}

/** To the second, with the date only when it is not today's. */
export function clockTime(at: string | number): string {
  const date = new Date(at);
  const today = date.toDateString() === new Date().toDateString();
  return today ? date.toLocaleTimeString() : date.toLocaleString();
}
