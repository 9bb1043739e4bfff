import { cleanup, fireEvent, render, screen } from '@testing-library/react';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Login } from '../../src/login/login';
import { makeUuid, parseUuid } from '../../src/login/uuid';

afterEach(cleanup);

describe('a user ID', () => {
  it.each([
    ['6F1D2C3B-4A59-4E68-9F70-8192A3B4C5D6', '6f1d2c3b-4a59-4e68-9f70-8192a3b4c5d6'],
    ['  6f1d2c3b-4a59-4e68-9f70-8192a3b4c5d6\n', '6f1d2c3b-4a59-4e68-9f70-8192a3b4c5d6'],
    ['ffffffff-ffff-ffff-ffff-ffffffffffff', 'ffffffff-ffff-ffff-ffff-ffffffffffff'],
    ['6f1d2c3b4a594e689f708192a3b4c5d6', null],
    ['{6f1d2c3b-4a59-4e68-9f70-8192a3b4c5d6}', null],
    ['6f1d2c3b-4a59-4e68-9f70-8192a3b4c5dg', null],
    ['', null],
  ])('%j is read as %j', (text, userId) => expect(parseUuid(text)).toBe(userId));

  it('that is made here is a UUID of version 4', () => {
    for (let i = 0; i < 100; i += 1) expect(makeUuid()).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect(makeUuid()).toMatch(/^.{14}4.{4}[89ab]/);
  });
});

describe('the log-in', () => {
  it('refuses what is not a UUID, and says what is', () => {
    const login = vi.fn();
    render(<Login onLogin={login} />);
    const field = screen.getByLabelText('User ID');
    fireEvent.change(field, { target: { value: 'demo' } });
    fireEvent.click(screen.getByRole('button', { name: 'Log in' }));
    expect(login).not.toHaveBeenCalled();
    expect(field.getAttribute('aria-invalid')).toBe('true');
    expect(screen.getByRole('alert').textContent).toContain('groups of 8, 4, 4, 4 and 12');
    expect(document.activeElement).toBe(field);
  });

  it('makes an ID and logs in with it', () => {
    const login = vi.fn();
    render(<Login onLogin={login} />);
    fireEvent.click(screen.getByRole('button', { name: 'Make a new ID' }));
    const made = screen.getByLabelText<HTMLInputElement>('User ID').value;
    fireEvent.click(screen.getByRole('button', { name: 'Log in' }));
    expect(login).toHaveBeenCalledWith(made);
  });
});
