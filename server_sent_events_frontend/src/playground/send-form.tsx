import { useState, type FormEvent } from 'react';
import { explain, request } from '../api';
import { Copyable } from '../ui/copy';

const greetings = { v2: 'Howdy 🤠 from version 2️⃣', v3: 'Howdy 🤠 from version 3️⃣' };
type SendVersion = keyof typeof greetings;

/** `onType` is called before a message of that type is sent: a browser hears only the types that it was told of. */
export function SendForm({ onType }: { onType(type: string): void }) {
  const [version, setVersion] = useState<SendVersion>('v2');
  const [name, setName] = useState('demo');
  const [type, setType] = useState('');
  const [text, setText] = useState(greetings.v2);
  const [answer, setAnswer] = useState('');
  const [refusal, setRefusal] = useState('');

  const path = `/${version}/message?${new URLSearchParams({ username: name, ...(type && { event: type }) })}`;

  function choose(next: SendVersion): void {
    setVersion(next);
    if (text === greetings[version]) setText(greetings[next]);
  }

  async function send(event: FormEvent): Promise<void> {
    event.preventDefault();
    if (type !== '') onType(type);
    setAnswer('');
    setRefusal('');
    try {
      const response = await request(path, {
        method: 'POST',
        headers: { 'Content-Type': 'text/plain; charset=utf-8' },
        body: text,
      });
      setAnswer(`${response.status} ${await response.text()}`);
    } catch (error) {
      setRefusal(explain(error));
    }
  }

  return (
    <form className="panel" onSubmit={(event) => void send(event)} aria-labelledby="send-title">
      <h2 id="send-title">Send a message</h2>
      <fieldset className="choice">
        <legend>Version</legend>
        {(['v2', 'v3'] as const).map((each) => (
          <label key={each}>
            <input type="radio" name="send-version" checked={version === each} onChange={() => choose(each)} />
            {each.toUpperCase()}
          </label>
        ))}
      </fieldset>
      <div className="pair">
        <p>
          <label htmlFor="send-name">To</label>
          <input
            id="send-name"
            value={name}
            onChange={(event) => setName(event.target.value)}
            required
            autoCapitalize="none"
            spellCheck={false}
            aria-describedby="send-name-hint"
          />
        </p>
        <p>
          <label htmlFor="send-type">Event type</label>
          <input
            id="send-type"
            value={type}
            onChange={(event) => setType(event.target.value)}
            placeholder="message"
            autoCapitalize="none"
            spellCheck={false}
          />
        </p>
      </div>
      <p id="send-name-hint" className="hint">
        A name, or <code>*</code> for everybody.
      </p>
      <p>
        <label htmlFor="send-text">Message</label>
        <textarea id="send-text" rows={3} value={text} onChange={(event) => setText(event.target.value)} />
      </p>
      <div className="actions">
        <button type="submit" className="primary">
          Send
        </button>
        <output className="answer mono">{answer}</output>
      </div>
      {refusal !== '' && (
        <p className="refusal" role="alert">
          {refusal}
        </p>
      )}
      <Copyable
        what="the command"
        text={`curl -X POST '${window.location.origin}${path}' -d '${text.replaceAll("'", String.raw`'\''`)}'`}
      />
    </form>
  );
}
