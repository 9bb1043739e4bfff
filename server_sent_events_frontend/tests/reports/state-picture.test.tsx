import { cleanup, fireEvent, render, screen } from '@testing-library/react';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { allowedFrom, type Status } from '../../src/reports/report';
import { arrows, StatePicture } from '../../src/reports/state-picture';
import transitions from '../../src/transitions.json';

const states = Object.keys(transitions) as Status[];

afterEach(cleanup);

describe('the picture of the states', () => {
  it('has an arrow for each transition of the table, and no other', () => {
    const drawn = arrows.map(({ from, to }) => `${from} ${to}`).sort();
    const table = states.flatMap((from) => allowedFrom(from).map((to) => `${from} ${to}`)).sort();
    expect(drawn).toEqual(table);
  });

  it.each(states)('lights %s and offers what may follow', (status) => {
    const move = vi.fn();
    const { container } = render(<StatePicture status={status} onMove={move} />);
    expect(container.querySelectorAll('[aria-current]')).toHaveLength(1);
    expect(container.querySelector('[aria-current]')!.textContent).toBe(status);
    const buttons = screen.queryAllByRole('button');
    expect(buttons.map((button) => button.textContent).sort()).toEqual([...allowedFrom(status)].sort());
    for (const button of buttons) fireEvent.click(button);
    expect(move.mock.calls.flat().sort()).toEqual([...allowedFrom(status)].sort());
  });

  it('is worked with the keyboard', () => {
    const move = vi.fn();
    render(<StatePicture status="pending" onMove={move} />);
    const queued = screen.getByRole('button', { name: 'Move to queued' });
    expect(queued.getAttribute('tabindex')).toBe('0');
    fireEvent.keyDown(queued, { key: 'Enter' });
    fireEvent.keyDown(queued, { key: ' ' });
    fireEvent.keyDown(queued, { key: 'a' });
    expect(move.mock.calls).toEqual([['queued'], ['queued']]);
  });
});
