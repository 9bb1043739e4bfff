import { useRef, useState, type FormEvent } from 'react';
import { StatePicture } from '../reports/state-picture';
import { makeUuid, parseUuid } from './uuid';

export function Login({ onLogin }: { onLogin(userId: string): void }) {
  const [text, setText] = useState('');
  const [wrong, setWrong] = useState(false);
  const field = useRef<HTMLInputElement>(null);

  function submit(event: FormEvent): void {
    event.preventDefault();
    const userId = parseUuid(text);
    setWrong(userId === null);
    if (userId === null) field.current?.focus();
    else onLogin(userId);
  }

  function make(): void {
    setText(makeUuid());
    setWrong(false);
    field.current?.focus();
  }

  return (
    <main className="login">
      <section>
        <h1>Reports that change before&nbsp;your&nbsp;eyes</h1>
        <p className="lead">
          Create reports, move them along from here or from a terminal, and watch every open page follow, without a
          reload.
        </p>
        <form onSubmit={submit} noValidate>
          <label htmlFor="user-id">User ID</label>
          <input
            ref={field}
            id="user-id"
            className="mono"
            value={text}
            onChange={(event) => setText(event.target.value)}
            placeholder="00000000-0000-0000-0000-000000000000"
            autoComplete="username"
            autoCapitalize="none"
            spellCheck={false}
            aria-invalid={wrong}
            aria-describedby="user-id-hint"
          />
          <p id="user-id-hint" className={wrong ? 'hint wrong' : 'hint'} role={wrong ? 'alert' : undefined}>
            {wrong
              ? 'This is not a UUID: 32 hexadecimal digits in groups of 8, 4, 4, 4 and 12.'
              : 'Any UUID. Reports belong to it, and this browser remembers it.'}
          </p>
          <div className="actions">
            <button type="submit" className="primary">
              Log in
            </button>
            <button type="button" onClick={make}>
              Make a new ID
            </button>
          </div>
        </form>
      </section>
      <figure>
        <StatePicture status={null} />
        <figcaption>The states of a report, and the ways between them.</figcaption>
      </figure>
    </main>
  );
}
