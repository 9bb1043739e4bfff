/** One stream of V1 to V3 that can be cut and resumed by hand, and what came on it. */
import { useCallback, useEffect, useRef, useState } from 'react';
import { explain, Refusal, request } from '../api';
import { Connection, type Phase, type StreamEvent } from '../stream';

export const versions = ['v1', 'v2', 'v3'] as const;
export type Version = (typeof versions)[number];

export interface StreamChoice {
  version: Version;
  name: string;
  /** From all that is kept, or only what comes next. */
  earliest: boolean;
}

export interface Received extends StreamEvent {
  at: number;
  count: number;
}

/** What a card shows at most; older events leave it. */
export const receivedMax = 200;

export interface PlaygroundStream {
  phase: Phase;
  /** Newest first. */
  received: readonly Received[];
  lastEventId: string;
  /** The server's reason, when it refused the stream; empty otherwise. */
  refusal: string;
  cut(): void;
  resume(): void;
  clear(): void;
}

export function streamPath({ version, name }: StreamChoice): string {
  return `/${version}/sse?${new URLSearchParams({ username: name })}`;
}

export function usePlaygroundStream(choice: StreamChoice, types: readonly string[]): PlaygroundStream {
  const [phase, setPhase] = useState<Phase>('connecting');
  const [received, setReceived] = useState<readonly Received[]>([]);
  const [refusal, setRefusal] = useState('');
  const connection = useRef<Connection | null>(null);

  useEffect(() => {
    let count = 0;
    const url = streamPath(choice);
    const left = new AbortController();
    const current = new Connection({
      url,
      ...(choice.earliest && { lastEventId: 'earliest' }),
      onEvent: (event) => {
        count += 1;
        const arrived = { ...event, at: Date.now(), count };
        setReceived((before) => [arrived, ...before.slice(0, receivedMax - 1)]);
      },
      onPhase: setPhase,
      onRefused: () => void findRefusal(url, left.signal).then(refused),
    });
    const refused = (reason: string) => {
      if (reason === '' || left.signal.aborted) return;
      setRefusal(reason);
      current.close();
    };
    connection.current = current;
    current.open();
    return () => {
      left.abort();
      current.close();
    };
  }, [choice]);

  useEffect(() => {
    for (const type of types) connection.current?.listen(type);
  }, [choice, types]);

  return {
    phase,
    received,
    lastEventId: connection.current?.lastEventId ?? '',
    refusal,
    cut: useCallback(() => connection.current?.close(), []),
    resume: useCallback(() => {
      setRefusal('');
      connection.current?.open();
    }, []),
    clear: useCallback(() => setReceived([]), []),
  };
}

/** Why the server refuses this stream for good; empty where it does not, or not for good. */
async function findRefusal(url: string, signal: AbortSignal): Promise<string> {
  try {
    const response = await request(url, { headers: { Accept: 'text/event-stream' }, signal });
    await response.body?.cancel();
    return '';
  } catch (error) {
    return error instanceof Refusal && !error.passing ? explain(error) : '';
  }
}
