import { useRef } from 'react';
import { Ago } from '../ui/time';
import { StatusBadge } from '../ui/status-badge';
import { reportPath } from '../ui/use-route';
import { shortId, type Report } from './report';

export interface ReportTableProps {
  reports: readonly Report[];
  selectedId: string | null;
}

export function ReportTable({ reports, selectedId }: ReportTableProps) {
  return (
    <table className="reports">
      <thead>
        <tr>
          <th scope="col">Report</th>
          <th scope="col">Status</th>
          <th scope="col">Changed</th>
          <th scope="col" className="number">
            Version
          </th>
        </tr>
      </thead>
      <tbody>
        {reports.map((report) => (
          <Row key={report.reportId} report={report} selected={report.reportId === selectedId} />
        ))}
      </tbody>
    </table>
  );
}

function Row({ report, selected }: { report: Report; selected: boolean }) {
  const { reportId, reportStatus, updatedAt, version } = report;
  const firstShown = useRef(version);
  return (
    <tr className={selected ? 'selected' : undefined}>
      <th scope="row">
        {/* The link covers its whole row. */}
        <a href={reportPath(reportId)} title={reportId} aria-current={selected || undefined}>
          {shortId(reportId)}
        </a>
      </th>
      <td>
        {/* A new version is a new element, so that the mark of a change plays again, and only for what changed here. */}
        <span key={version} className={version > firstShown.current ? 'changed' : undefined}>
          <StatusBadge status={reportStatus} />
        </span>
      </td>
      <td>
        <Ago at={updatedAt} />
      </td>
      <td className="number">{version}</td>
    </tr>
  );
}
