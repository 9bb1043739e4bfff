/** A rill on its way through a gate. */
export function Logo() {
  return (
    <svg className="logo" viewBox="0 0 32 32" aria-hidden="true">
      <path className="gate" d="M8 4v24M24 4v24M8 8h16" />
      <path className="rill" d="M2 17.5c3.5-3 5.5-3 9.3 0s5.8 3 9.4 0 5.8-3 9.3 0" />
      <path className="rill" d="M2 23.5c3.5-3 5.5-3 9.3 0s5.8 3 9.4 0 5.8-3 9.3 0" />
    </svg>
  );
}
