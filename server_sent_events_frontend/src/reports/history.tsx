import { useEffect, useState } from 'react';
import { explain } from '../api';
import { clockTime, duration } from '../ui/time';
import type { Report, Transition } from './report';
import { getHistory } from './requests';

/** Everything that happened to a report, oldest first; asked for again whenever its version moves. */
export function History({ report }: { report: Report }) {
  const [transitions, setTransitions] = useState<Transition[]>([]);
  const [error, setError] = useState('');
  const [attempt, setAttempt] = useState(0);

  useEffect(() => {
    const left = new AbortController();
    getHistory(report, left.signal).then(
      (found) => {
        setTransitions(found);
        setError('');
      },
      (reason: unknown) => {
        if (!left.signal.aborted) setError(explain(reason));
      },
    );
    return () => left.abort();
    // A report of the same version has the same history, whichever object says so.
  }, [report.reportId, report.version, attempt]);

  return (
    <section className="history" aria-labelledby="history-title">
      <h3 id="history-title">History</h3>
      {error !== '' && (
        <p className="refusal" role="alert">
          The history could not be read. {error}{' '}
          <button type="button" onClick={() => setAttempt((count) => count + 1)}>
            Try again
          </button>
        </p>
      )}
      <ol>
        {transitions.map((transition, index) => (
          <Line key={transition.version} transition={transition} before={transitions[index - 1]} />
        ))}
      </ol>
    </section>
  );
}

function Line({ transition, before }: { transition: Transition; before: Transition | undefined }) {
  const { version, from, to, at } = transition;
  return (
    <li className={to}>
      <span className="step">
        {from === null ? (
          <>
            created <strong>{to}</strong>
          </>
        ) : (
          <>
            {from} <span aria-hidden="true">→</span>
            <span className="unseen"> to </span> <strong>{to}</strong>
          </>
        )}
      </span>
      <span className="when">
        {before && <span className="after">after {duration(Date.parse(at) - Date.parse(before.at))}</span>}
        <time dateTime={at} title={at}>
          {clockTime(at)}
        </time>
        <span className="version">v{version}</span>
      </span>
    </li>
  );
}
