import { useEffect, useState } from 'react';

const shownMs = 2_000;

/** Text that is worth taking along, with a button that copies it. */
export function Copyable({ text, what }: { text: string; what: string }) {
  const [copied, setCopied] = useState(false);

  useEffect(() => {
    if (!copied) return undefined;
    const timer = setTimeout(() => setCopied(false), shownMs);
    return () => clearTimeout(timer);
  }, [copied]);

  return (
    <span className="copyable">
      <code>{text}</code>
      {/* Pages that are neither HTTPS nor localhost have no clipboard; the text can still be selected. */}
      {navigator.clipboard && (
        <button
          type="button"
          className="quiet"
          onClick={() => void navigator.clipboard.writeText(text).then(() => setCopied(true))}
        >
          <span aria-live="polite">{copied ? 'Copied' : 'Copy'}</span>
          <span className="unseen"> {what}</span>
        </button>
      )}
    </span>
  );
}
