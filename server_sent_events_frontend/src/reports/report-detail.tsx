import { useEffect, useRef, useState } from 'react';
import { explain } from '../api';
import { Copyable } from '../ui/copy';
import { Ago, clockTime } from '../ui/time';
import { reportsPath } from '../ui/use-route';
import { History } from './history';
import { allowedFrom, shortId, type Report, type Status } from './report';
import { StatePicture } from './state-picture';

export interface ReportDetailProps {
  report: Report;
  /** Rejects with the server's reason. */
  onChange(report: Report, to: Status): Promise<void>;
  /** The person asked for this report, so reading goes on here. */
  focused: boolean;
}

/** One report: where it is, where it may go, how it came here. Give it the report's id as its key. */
export function ReportDetail({ report, onChange, focused }: ReportDetailProps) {
  const [busy, setBusy] = useState(false);
  const [refusal, setRefusal] = useState('');
  const heading = useRef<HTMLHeadingElement>(null);
  const next = allowedFrom(report.reportStatus);

  useEffect(() => {
    if (focused) heading.current?.focus({ preventScroll: true });
  }, [focused]);

  async function move(to: Status): Promise<void> {
    if (busy) return;
    setBusy(true);
    setRefusal('');
    try {
      await onChange(report, to);
    } catch (error) {
      setRefusal(`Not moved to ${to}. ${explain(error)}`);
    } finally {
      setBusy(false);
    }
  }

  return (
    <article className="detail" aria-busy={busy}>
      <header>
        <a className="back" href={reportsPath}>
          <span aria-hidden="true">← </span>All reports
        </a>
        <h2 ref={heading} tabIndex={-1}>
          Report <span className="mono">{shortId(report.reportId)}</span>
        </h2>
        <p className="meta">
          Version {report.version}, changed <Ago at={report.updatedAt} />, created{' '}
          <time dateTime={report.createdAt}>{clockTime(report.createdAt)}</time>
        </p>
      </header>
      <StatePicture status={report.reportStatus} onMove={(to) => void move(to)} />
      <div className="moves">
        {next.length === 0 ? (
          <p className="hint">A {report.reportStatus} report stays as it is.</p>
        ) : (
          <>
            <span id="move-label">Move to</span>
            {next.map((to) => (
              <button key={to} type="button" className={`move ${to}`} disabled={busy} onClick={() => void move(to)}>
                {to}
              </button>
            ))}
          </>
        )}
      </div>
      {refusal !== '' && (
        <p className="refusal" role="alert">
          {refusal}
        </p>
      )}
      <History report={report} />
      {next[0] && (
        <section className="terminal" aria-labelledby="terminal-title">
          <h3 id="terminal-title">From a terminal</h3>
          <Copyable
            what="the command"
            text={`./update_report_status.sh ${report.userId} ${report.reportId} ${next[0]}`}
          />
        </section>
      )}
    </article>
  );
}
