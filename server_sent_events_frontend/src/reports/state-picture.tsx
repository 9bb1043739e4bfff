/**
 * The state machine, drawn once: the report's state is lit, and the states it may go to next are buttons.
 *
 * Places are in the units of the view box. Which states may follow which comes from the table alone: an arrow without a
 * transition, or a transition without an arrow, fails a test.
 */
import { useId, type KeyboardEvent } from 'react';
import { allowedFrom, type Status } from './report';

const nodeWidth = 116;
const nodeHeight = 42;

const places: Record<Status, { x: number; y: number }> = {
  failed: { x: 410, y: 33 },
  pending: { x: 70, y: 118 },
  queued: { x: 240, y: 118 },
  processing: { x: 410, y: 118 },
  canceled: { x: 240, y: 203 },
  completed: { x: 410, y: 203 },
};

export const arrows: { from: Status; to: Status; path: string }[] = [
  { from: 'pending', to: 'queued', path: 'M128 118H176' },
  { from: 'queued', to: 'processing', path: 'M298 118H346' },
  { from: 'processing', to: 'failed', path: 'M410 97V60' },
  { from: 'processing', to: 'completed', path: 'M410 139V176' },
  { from: 'queued', to: 'canceled', path: 'M240 139V176' },
  { from: 'pending', to: 'canceled', path: 'M88 139V177Q88 195 106 195H176' },
  { from: 'canceled', to: 'pending', path: 'M182 212H70Q52 212 52 194V145' },
  { from: 'failed', to: 'pending', path: 'M352 33H88Q70 33 70 51V91' },
];

export interface StatePictureProps {
  /** Null draws the machine as such. */
  status: Status | null;
  /** Called with an allowed next state; without it the picture only shows. */
  onMove?: ((to: Status) => void) | undefined;
}

export function StatePicture({ status, onMove }: StatePictureProps) {
  const id = useId();
  const next = status ? allowedFrom(status) : [];
  const label = status ? `States of a report. Now: ${status}.` : 'States of a report.';

  return (
    <svg className="states" viewBox="0 0 480 236" role="group" aria-label={label}>
      <defs>
        <ArrowHead id={`${id}dim`} className="head" />
        <ArrowHead id={`${id}lit`} className="head lit" />
      </defs>
      {arrows.map(({ from, path }) => {
        const lit = from === status;
        return (
          <path
            key={path}
            className={lit ? 'arrow lit' : 'arrow'}
            d={path}
            markerEnd={`url(#${id}${lit ? 'lit' : 'dim'})`}
          />
        );
      })}
      <text className="note" x="211" y="24">
        retry
      </text>
      <text className="note" x="121" y="229">
        retry
      </text>
      {Object.entries(places).map(([name, place]) => {
        const state = name as Status;
        return (
          <Node
            key={state}
            state={state}
            place={place}
            current={state === status}
            onPick={onMove && next.includes(state) ? () => onMove(state) : undefined}
          />
        );
      })}
    </svg>
  );
}

interface NodeProps {
  state: Status;
  place: { x: number; y: number };
  current: boolean;
  onPick: (() => void) | undefined;
}

function Node({ state, place, current, onPick }: NodeProps) {
  const button = onPick && {
    role: 'button',
    tabIndex: 0,
    'aria-label': `Move to ${state}`,
    onClick: onPick,
    onKeyDown: (event: KeyboardEvent) => {
      if (event.key !== 'Enter' && event.key !== ' ') return;
      event.preventDefault();
      onPick();
    },
  };
  return (
    <g
      className={`node ${state}${current ? ' current' : ''}${onPick ? ' next' : ''}`}
      transform={`translate(${place.x} ${place.y})`}
      aria-current={current ? 'step' : undefined}
      {...button}
    >
      <rect x={-nodeWidth / 2} y={-nodeHeight / 2} width={nodeWidth} height={nodeHeight} rx="11" />
      <text y="5.5">{state}</text>
    </g>
  );
}

function ArrowHead({ id, className }: { id: string; className: string }) {
  return (
    <marker
      id={id}
      viewBox="0 0 8 8"
      refX="2"
      refY="4"
      markerWidth="8"
      markerHeight="8"
      markerUnits="userSpaceOnUse"
      orient="auto"
    >
      <path className={className} d="M0 0 8 4 0 8z" />
    </marker>
  );
}
