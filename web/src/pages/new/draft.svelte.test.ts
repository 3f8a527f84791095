import { beforeEach, describe, expect, it } from 'vitest';
import type { UploadedFile } from '../../api';
import { addressOf, Draft, drafts } from './draft.svelte';
import { remembered } from './remembered';

const ID = 'a'.repeat(32);
function file(info: object = {}): UploadedFile {
  const known = { container: 'mov', seconds: 60, audio: [{ codec: 'aac', language: 'eng' }], ...info };
  return { id: ID, name: 'talk.mp4', kind: 'media', state: 'ready', info: known } as unknown as UploadedFile;
}

beforeEach(() => {
  localStorage.clear();
  sessionStorage.clear();
});

describe('an address', () => {
  it.each([
    ['https://youtu.be/abc', 'https://youtu.be/abc'],
    [' youtube.com/watch?v=1 ', 'https://youtube.com/watch?v=1'],
    ['talk', null],
    ['two words.com', null],
    ['ftp://a.org/x', null],
    ['https://', null],
  ])('%s is taken as %s', (text, link) => {
    expect(addressOf(text)).toBe(link);
  });
});

describe('a draft', () => {
  it('asks for nothing that is as it would be anyway', () => {
    const draft = new Draft();
    draft.take(file());
    expect(draft.spec('es')).toEqual({ upload: ID, target: 'es' });
  });

  it('asks for what was chosen, as the server writes it', () => {
    const draft = new Draft();
    draft.address = 'youtu.be/abc';
    draft.range = { start: 2, end: 9.5 };
    draft.terms = 'Ada, Babbage\nengine';
    draft.loudness = '-16';
    draft.priority = '-5';
    draft.retention = '0';
    draft.budget = '2,50';
    draft.captions = true;
    draft.title = ' Lecture ';
    expect(draft.spec('fr')).toEqual({
      source: 'https://youtu.be/abc',
      target: 'fr',
      title: 'Lecture',
      start: 2,
      end: 9.5,
      terms: ['Ada', 'Babbage', 'engine'],
      loudness: -16,
      priority: -5,
      retention_days: 0,
      budget: '2.50',
      captions: true,
    });
  });

  it('sends options only with the engine they belong to', () => {
    const draft = new Draft();
    draft.options = { translator: { model: 'x' }, synthesizer: { style: '' } };
    draft.engines = { synthesizer: 'espeak', translator: '' };
    expect(draft.wishes).toEqual({ engines: { synthesizer: 'espeak' } });
  });

  it('sends a statement with clones only, and a former one in its place', () => {
    const draft = new Draft();
    Object.assign(draft, { who: ' Ada ', statement: 'She agreed.' });
    expect(draft.wishes).toEqual({});
    draft.voices = 'clone';
    expect(draft.wishes).toEqual({ clone_voices: true, consent: { who: 'Ada', statement: 'She agreed.' } });
    draft.consent = ID;
    expect(draft.wishes).toEqual({ clone_voices: true, consent_id: ID });
  });

  it('takes the language of the only track for what is spoken, unless somebody says otherwise', () => {
    const draft = new Draft();
    draft.take(file());
    expect(draft.from).toBe('en');
    draft.spoken = 'fr';
    expect(draft.from).toBe('fr');
    draft.spoken = '';
    draft.take(file({ audio: [{ language: 'eng' }, { language: 'deu' }] }));
    expect(draft.from).toBeNull();
  });

  it('forgets the range with its source', () => {
    const draft = new Draft();
    draft.take(file());
    draft.range = { start: 5, end: null };
    draft.drop();
    expect([draft.hasSource, draft.range.start]).toEqual([false, null]);
  });
});

describe('what is kept', () => {
  it('are languages and options for the next dub, but never a consent', () => {
    const draft = new Draft();
    draft.targets = ['es', 'fr'];
    draft.keepOriginal = true;
    draft.voices = 'clone';
    draft.remember();
    const next = new Draft();
    expect([next.targets, next.keepOriginal, next.voices]).toEqual([['es', 'fr'], true, 'stock']);
  });

  it('is nothing where it cannot be read', () => {
    localStorage.setItem('autodub.new', '[{');
    expect(remembered()).toEqual({});
  });

  it('is the source for a reload, until the next dub', () => {
    const draft = drafts.current;
    draft.take(file());
    drafts.note(draft);
    expect(drafts.noted()).toBe(ID);
    drafts.renew();
    expect([drafts.noted(), drafts.current.hasSource]).toEqual([null, false]);
  });

  it("is nobody else's", () => {
    drafts.for('ada').title = 'hers';
    expect(drafts.for('ada').title).toBe('hers');
    expect(drafts.for('ben').title).toBe('');
  });
});
