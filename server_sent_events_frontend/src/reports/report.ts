/** Reports and the states they go through. The table is transitions.json, which a test holds equal to the server's. */
import transitions from '../transitions.json';

export type Status = keyof typeof transitions;

export interface Report {
  userId: string;
  reportId: string;
  reportStatus: Status;
  version: number;
  createdAt: string;
  updatedAt: string;
}

/** The data of a `report_status_update`. */
export interface StatusUpdate {
  id: string;
  status: Status;
  version: number;
  updatedAt: string;
}

/** One line of a report's history; `from` is null where it was created. */
export interface Transition {
  version: number;
  from: Status | null;
  to: Status;
  at: string;
}

export function allowedFrom(status: Status): readonly Status[] {
  return transitions[status] as Status[];
}

/** Ids of reports made in the same minute begin alike (UUIDv7): their ends tell them apart. */
export function shortId(id: string): string {
  return id.slice(-8);
}
