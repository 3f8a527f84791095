import { describe, expect, it } from 'vitest';
import { json, serve } from '../../api/testing';
import { asked, exported, NOTHING, Trail } from './trail.svelte';

describe('the audit', () => {
  it('is asked for by what is named only; the last day is in it', () => {
    expect(asked(NOTHING)).toEqual({});
    expect(
      asked({ actor: 'a', action: ' job. ', subject: '', from: '2026-12-30', to: '2026-12-31' }),
    ).toEqual({
      actor: 'a',
      action: 'job.',
      since: new Date(2026, 11, 30).getTime() / 1000,
      until: new Date(2027, 0, 1).getTime() / 1000,
    });
    expect(exported({ ...NOTHING, action: 'job.' })).toBe('/api/v1/admin/audit/export?action=job.');
  });

  it('goes on where the page before ended', async () => {
    const urls = serve((_, count) => json({ entries: [{ number: count }], after: count === 1 ? 7 : null }));
    const trail = new Trail();
    await trail.list(NOTHING);
    await trail.list(NOTHING, true);
    expect(urls[1]!.url).toContain('after=7');
    expect(trail.found?.map((one) => one.number)).toEqual([1, 2]);
    expect(trail.hasMore).toBe(false);
  });
});
