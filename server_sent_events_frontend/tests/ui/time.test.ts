import { describe, expect, it } from 'vitest';
import { ago } from '../../src/ui/time';
import { parseRoute } from '../../src/ui/use-route';

describe('the time since a change', () => {
  it.each([
    [-3_000, 'just now'],
    [4_999, 'just now'],
    [5_000, '5 s ago'],
    [119_999, '1 min ago'],
    [3_600_000, '1 h ago'],
    [200_000_000, '2 d ago'],
  ])('of %d ms reads %j', (ms, words) => expect(ago(ms)).toBe(words));
});

describe('an address', () => {
  it.each([
    ['', { page: 'reports', reportId: null }],
    ['#/reports', { page: 'reports', reportId: null }],
    ['#/reports/01a2', { page: 'reports', reportId: '01a2' }],
    ['#/playground', { page: 'playground' }],
    ['#/elsewhere', { page: 'reports', reportId: null }],
  ])('%j shows %j', (hash, route) => expect(parseRoute(hash)).toEqual(route));
});
