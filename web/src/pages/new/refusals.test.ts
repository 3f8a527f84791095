import { describe, expect, it } from 'vitest';
import { ApiProblem } from '../../api';
import { concerns, refusals } from './refusals';

const asked = { targets: ['es', 'de'], spoken: null, engines: {} as Record<string, string> };
const refused = (
  code: string,
  message: string,
  hint = '',
  more: Partial<typeof asked> | { spoken: string } = {},
) => refusals(new ApiProblem(400, code, message, hint), { ...asked, ...more })[0]!;
const fields = (where: string, why = 'must be a number') =>
  refusals(new ApiProblem(422, 'bad_request', 'x', 'y', '', null, [{ where, why }]), asked)[0]!;

describe('a refusal with a field', () => {
  it.each([
    ['wishes.loudness', 'loudness'],
    ['wishes.consent.who', 'who'],
    ['wishes.consent.statement', 'statement'],
    ['wishes.start', 'range'],
    ['sources.0.source', 'source'],
    ['sources.0', 'source'],
    ['targets', 'targets'],
    ['target', 'targets'],
    ['retention_days', 'retention_days'],
    ['wishes.terms.3', 'terms'],
  ])('%s is at %s', (where, place) => {
    expect(fields(where).place).toBe(place);
  });
  it('of an engine knows its role', () => {
    expect(fields('wishes.engines.translator')).toMatchObject({ place: 'engines', role: 'translator' });
  });
  it('of one job of a batch knows its language', () => {
    const one = fields('sources.0, targets.1', 'nobody translates into it');
    expect(one).toMatchObject({ place: 'targets', target: 'de', text: 'Nobody translates into it.' });
    expect([concerns(one, 'de-AT'), concerns(one, 'es')]).toEqual([true, false]);
  });
  it('of two fields that do not go together is at the one it begins with', () => {
    expect(fields('', 'end must be after start').place).toBe('range');
  });
  it('that the page does not know belongs to none', () => {
    expect(fields('wishes.novelty').place).toBeNull();
  });
});

describe('a refusal without a field', () => {
  it.each([
    ['consent_missing', 'Cloning a voice needs a statement.', 'statement'],
    ['unsupported_source', 'example.org is not among the sites.', 'source'],
    ['engine_cannot', 'apertium has no data that lead from English to German.', 'targets'],
    ['engine_cannot', 'No transcriber can run here: sphinx does not know French.', 'spoken'],
    ['engine_cannot', 'No synthesizer here speaks Spanish with cloned voices.', 'voices'],
    ['bad_option', 'The range starts at 500 s, but the upload ends at 61.88 s.', 'range'],
    ['not_found', 'There is no glossary 12.', 'glossary'],
    ['quota_exceeded', 'The minutes of this month are used up.', null],
    ['internal', 'The server made a mistake.', null],
  ])('%s: %s is at %s', (code, message, place) => {
    expect(refused(code, message).place).toBe(place);
  });
  it('is at the engine that was named', () => {
    const engines = { translator: 'openai' };
    const said = 'The translator openai cannot run here: OPENAI_API_KEY is not set.';
    expect(refused('engine_cannot', said, '', { engines })).toMatchObject({
      place: 'engines',
      role: 'translator',
    });
  });
  it('of a field that its hint names is there', () => {
    expect(refused('bad_option', 'That is too little.', 'Give a larger `budget`.').place).toBe('budget');
  });
  it('of two equal languages is at what was said to be spoken', () => {
    const said = 'Source and target are both Spanish.';
    expect(refused('unknown_language', said, '', { spoken: 'es' }).place).toBe('spoken');
    expect(refused('unknown_language', said).place).toBe('targets');
  });
});
