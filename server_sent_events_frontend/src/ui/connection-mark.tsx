import type { StreamStatus } from '../stream';

const words = {
  connecting: 'Connecting',
  live: 'Live',
  retrying: 'Reconnecting',
  closed: 'Closed',
};

const roles = {
  leader: 'This tab holds the connection and shares it with your other tabs.',
  follower: 'Another of your tabs holds the connection and shares it with this one.',
  alone: 'This tab has a connection of its own.',
};

/** Says in a word and a dot whether what you see is the latest. Its changes are announced to those who do not see it. */
export function ConnectionMark({ status }: { status: StreamStatus }) {
  return (
    <span className={`connection ${status.phase}`} role="status" title={roles[status.role]}>
      <span className="unseen">Connection: </span>
      {words[status.phase]}
    </span>
  );
}

export function PhaseMark({ phase }: { phase: StreamStatus['phase'] }) {
  return <span className={`connection ${phase}`}>{words[phase]}</span>;
}
