import { PhaseMark } from '../ui/connection-mark';
import { streamPath, usePlaygroundStream, type Received, type StreamChoice } from './use-playground-stream';
import { Copyable } from '../ui/copy';

export interface StreamCardProps {
  choice: StreamChoice;
  types: readonly string[];
  onClose(): void;
}

export function StreamCard({ choice, types, onClose }: StreamCardProps) {
  const stream = usePlaygroundStream(choice, types);
  const title = `${choice.version.toUpperCase()} ${choice.name}`;
  const cut = stream.phase === 'closed';

  return (
    <section className="stream" aria-label={`Stream ${title}`}>
      <header>
        <h3>
          <span className="version">{choice.version.toUpperCase()}</span> {choice.name}
        </h3>
        <PhaseMark phase={stream.phase} />
        <div className="actions">
          {cut ? (
            <button type="button" onClick={stream.resume}>
              Resume
            </button>
          ) : (
            <button type="button" onClick={stream.cut}>
              Cut
            </button>
          )}
          <button type="button" className="quiet" onClick={stream.clear}>
            Clear
          </button>
          <button type="button" className="quiet" onClick={onClose}>
            Close<span className="unseen"> stream {title}</span>
          </button>
        </div>
      </header>
      {stream.refusal !== '' && (
        <p className="refusal" role="alert">
          {stream.refusal}
        </p>
      )}
      {stream.received.length === 0 ? (
        <p className="empty hint">{cut ? 'Nothing came.' : 'Nothing came yet.'}</p>
      ) : (
        <Events received={stream.received} title={title} />
      )}
      <footer>
        {stream.lastEventId !== '' && (
          <p className="hint">
            {cut ? 'Resumes after' : 'At'} <code className="id">{stream.lastEventId}</code>
          </p>
        )}
        <Copyable what="the command" text={`curl -N '${window.location.origin}${streamPath(choice)}'`} />
      </footer>
    </section>
  );
}

function Events({ received, title }: { received: readonly Received[]; title: string }) {
  return (
    <div className="events" role="region" aria-label={`Events of ${title}`} tabIndex={0}>
      <table>
        <thead>
          <tr>
            <th scope="col">Time</th>
            <th scope="col">Type</th>
            <th scope="col">Id</th>
            <th scope="col">Data</th>
          </tr>
        </thead>
        <tbody>
          {received.map((event) => (
            <tr key={event.count} className={event.type.startsWith('stream-') ? 'protocol' : undefined}>
              <td>{preciseTime(event.at)}</td>
              <td>{event.type}</td>
              <td className="id" title={event.id}>
                {event.id}
              </td>
              <td className="data">{event.data}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function preciseTime(at: number): string {
  const date = new Date(at);
  const two = (value: number) => String(value).padStart(2, '0');
  const ms = String(date.getMilliseconds()).padStart(3, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${ms}`;
}
