import { describe, expect, it } from 'vitest';
import { json, problem, serve } from '../../api/testing';
import { days, months } from './months';
import { add, Receipts, type Receipt } from './receipts.svelte';
import { ticks } from './scale';

describe('months', () => {
  it('go back over the turn of a year, as the calendar of UTC has them', () => {
    expect(months(new Date('2027-01-31T23:30:00Z'), 3)).toEqual(['2027-01', '2026-12', '2026-11']);
  });
  it('have all their days', () => {
    expect(days('2028-02')).toHaveLength(29);
    expect(days('2026-12').at(-1)).toBe('2026-12-31');
  });
});

describe('the lines of a chart', () => {
  it.each([
    [0, [0, 1]],
    [4, [0, 1, 2, 3, 4]],
    [7, [0, 2, 4, 6, 8]],
    [0.031, [0, 0.01, 0.02, 0.03, 0.04]],
    [961, [0, 250, 500, 750, 1000]],
  ])('hold %d', (largest, lines) => {
    expect(ticks(largest)).toEqual(lines);
  });
});

const receipt: Receipt = {
  calls: [
    { verb: 'translator.openai.translate', made: 2, kept: 3 },
    { verb: 'studio.studio.decode', made: 9, kept: 0 },
    { verb: 'synthesizer.espeak.synthesize', made: 5, kept: 0 },
  ],
  costs: [
    { engine: 'translator.openai', unit: 'tokens', amount: 100, kept: 50, dollars: 0.25 },
    { engine: 'synthesizer.espeak', unit: 'characters', amount: 40, kept: 0, dollars: null },
  ],
};

describe('what engines did', () => {
  it('is added up, the dearest first, and what came from earlier work costs nothing', () => {
    expect(add([receipt, receipt])).toEqual([
      { engine: 'translator.openai', made: 4, kept: 6, dollars: 0.5, units: { tokens: 200 } },
      { engine: 'synthesizer.espeak', made: 10, kept: 0, dollars: 0, units: { characters: 80 } },
    ]);
  });

  it('is read once for each dub, and what cannot be read is counted', async () => {
    const asked = serve(({ url }) => (url.includes('/bad/') ? problem(404, 'not_found') : json(receipt)));
    const all = new Receipts();
    await all.read(['a', 'bad']);
    expect([all.count, all.failed, all.isLoading]).toEqual([1, 1, false]);
    await all.read(['a', 'b']);
    expect(asked.map((one) => one.url.split('/')[4])).toEqual(['a', 'bad', 'b']);
    expect(all.engines[0]!.made).toBe(4);
  });
});
