import type { Status } from '../reports/report';

/** A sign beside the colour, so that no state is known by its colour alone. In a box of 16 by 16. */
const signs: Record<Status, string> = {
  pending: 'M8 4.5V8l2.5 1.5',
  queued: 'M4.5 5.5h7M4.5 8h7M4.5 10.5h4',
  processing: 'M6.5 4.8 11.5 8l-5 3.2z',
  completed: 'M4.5 8.3 7 10.8l4.5-5.3',
  failed: 'M5.5 5.5l5 5M10.5 5.5l-5 5',
  canceled: 'M5 8h6',
};

export function StatusBadge({ status }: { status: Status }) {
  return (
    <span className={`badge ${status}`}>
      <svg viewBox="0 0 16 16" aria-hidden="true">
        <circle cx="8" cy="8" r="7" />
        <path d={signs[status]} />
      </svg>
      {status}
    </span>
  );
}
