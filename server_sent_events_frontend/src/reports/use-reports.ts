/** A user's reports, live: the list, what the stream says, and the requests that a person can make. */
import { useCallback, useEffect, useReducer, useRef, useState } from 'react';
import { Refusal } from '../api';
import { FinalError, SharedStream, type StreamEvent, type StreamStatus } from '../stream';
import type { Report, Status, StatusUpdate } from './report';
import { changeStatus, getPage, listReports, streamUrl } from './requests';
import { initialState, reduce, type ReportsAction, type ReportsState } from './state';

export interface Reports extends ReportsState {
  status: StreamStatus;
  /** Puts a report in place that an answer brought, without waiting for its event. */
  put(report: Report): void;
  showMore(): Promise<void>;
  /** Rejects with the server's reason. */
  change(report: Report, status: Status): Promise<void>;
  /** Begins anew after a final refusal. */
  restart(): void;
}

export function useReports(userId: string): Reports {
  const [state, dispatch] = useReducer(reduce, initialState);
  const [status, setStatus] = useState<StreamStatus>({ phase: 'connecting', role: 'alone', error: null });
  const [attempt, setAttempt] = useState(0);
  const shown = useRef(0);
  shown.current = state.reports?.length ?? 0;

  useEffect(() => {
    const stream = new SharedStream({
      url: streamUrl(userId),
      types: ['report_created', 'report_status_update'],
      load: async (signal) => {
        const page = await listReports(userId, shown.current, signal).catch(sort);
        signal.throwIfAborted();
        dispatch({ type: 'listed', page });
        return page.position;
      },
      onEvent: (event) => dispatch(toAction(event)),
      onStatus: setStatus,
    });
    return () => stream.close();
  }, [userId, attempt]);

  const { next } = state;
  return {
    ...state,
    status,
    put: useCallback((report) => dispatch({ type: 'report', report }), []),
    showMore: useCallback(async () => {
      if (next !== null) dispatch({ type: 'more', page: await getPage(next) });
    }, [next]),
    change: useCallback(async (report, to) => dispatch({ type: 'report', report: await changeStatus(report, to) }), []),
    restart: useCallback(() => setAttempt((count) => count + 1), []),
  };
}

function toAction(event: StreamEvent): ReportsAction {
  return event.type === 'report_created'
    ? { type: 'report', report: JSON.parse(event.data) as Report }
    : { type: 'update', update: JSON.parse(event.data) as StatusUpdate };
}

/** A request that is wrong or not allowed stays so; anything else is worth another attempt. */
function sort(error: unknown): never {
  if (error instanceof Refusal && !error.passing && error.status < 500) throw new FinalError(error.message);
  throw error;
}
