import { useState } from 'react';
import { explain } from '../api';
import { ReportDetail } from './report-detail';
import { ReportTable } from './report-table';
import { useCreate } from './use-create';
import type { Reports } from './use-reports';

export interface ReportsPageProps {
  userId: string;
  live: Reports;
  /** The report that the address names. */
  reportId: string | null;
}

export function ReportsPage({ userId, live, reportId }: ReportsPageProps) {
  const { reports } = live;
  const creation = useCreate(userId, live.put);
  const named = reports?.find((report) => report.reportId === reportId);
  // Beside the list there is always room for one; on a narrow screen only for the one that was asked for.
  const selected = named ?? reports?.[0];

  return (
    <main className={named ? 'split named' : 'split'}>
      <section className="list" aria-labelledby="reports-title">
        <header>
          <h1 id="reports-title">Reports</h1>
          <button type="button" className="primary" onClick={creation.create}>
            Create New Report
          </button>
        </header>
        <CreationNotice creation={creation} />
        {reports && reportId && !named && <p className="refusal">The report {reportId} is not among these.</p>}
        <List live={live} selectedId={selected?.reportId ?? null} />
        <p className="unseen" role="status">
          {live.news.text}
          {/* The same words again are news only where the text differs. */}
          {live.news.count % 2 === 0 && '\u00a0'}
        </p>
      </section>
      {selected && (
        <ReportDetail key={selected.reportId} report={selected} onChange={live.change} focused={named !== undefined} />
      )}
    </main>
  );
}

function List({ live, selectedId }: { live: Reports; selectedId: string | null }) {
  const { reports, status } = live;
  if (status.error !== null && status.phase === 'closed') {
    return (
      <p className="refusal" role="alert">
        {explain(status.error)}{' '}
        <button type="button" onClick={live.restart}>
          Try again
        </button>
      </p>
    );
  }
  return (
    <>
      {status.error !== null && (
        <p className="refusal" role="alert">
          {explain(status.error)} Trying again.
        </p>
      )}
      {reports === null ? (
        status.error === null && <Skeleton />
      ) : reports.length === 0 ? (
        <div className="empty">
          <p>No reports yet.</p>
          <p className="hint">Create one here, and it appears on every open page of this user.</p>
        </div>
      ) : (
        <ReportTable reports={reports} selectedId={selectedId} />
      )}
      {live.next !== null && <ShowMore showMore={live.showMore} />}
    </>
  );
}

function Skeleton() {
  return (
    <div className="skeleton">
      <p className="unseen" role="status">
        Loading reports
      </p>
      <div />
      <div />
      <div />
    </div>
  );
}

function ShowMore({ showMore }: { showMore(): Promise<void> }) {
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState('');

  async function run(): Promise<void> {
    setBusy(true);
    setFailure('');
    await showMore().catch((error: unknown) => setFailure(explain(error)));
    setBusy(false);
  }

  return (
    <div className="more">
      {failure !== '' && (
        <p className="refusal" role="alert">
          {failure}
        </p>
      )}
      <button type="button" disabled={busy} onClick={() => void run()}>
        Show older reports
      </button>
    </div>
  );
}

function CreationNotice({ creation }: { creation: ReturnType<typeof useCreate> }) {
  const { failed, pending } = creation;
  const last = failed.at(-1);
  return (
    <>
      {pending > 0 && (
        <p className="hint" role="status">
          Creating {pending === 1 ? 'a report' : `${pending} reports`}…
        </p>
      )}
      {last && (
        <p className="refusal" role="alert">
          {failed.length === 1 ? 'A report was not created.' : `${failed.length} reports were not created.`}{' '}
          {last.failure}{' '}
          <button type="button" onClick={creation.retry}>
            Try again
          </button>{' '}
          <button type="button" className="quiet" onClick={creation.dismiss}>
            Leave it
          </button>
        </p>
      )}
    </>
  );
}
