// A dub as it is being put together: every choice, and the request it makes.
import { Upload, type Schemas, type UploadedFile } from '../../api';
import { tagOf } from './languages';
import { remember, remembered, type Remembered } from './remembered';
import type { Asked } from './refusals';
import type { Range } from './times';

export type Wishes = Schemas['BatchWishes'];
export type Spec = Schemas['JobSpec'];
export type Source = Schemas['CheckedSource'];
export type Voices = 'stock' | 'match' | 'clone';

export interface Media {
  container: string;
  seconds: number;
  video: { codec: string; width: number; height: number } | null;
  audio: { codec: string; channels: number; rate: number; language: string | null }[];
  subtitles: { codec?: string; language?: string | null }[];
}

/** What the server found in a recording. */
export function mediaOf(file: UploadedFile): Media {
  const info = file.info as Partial<Media>;
  return {
    container: info.container ?? '',
    seconds: info.seconds ?? 0,
    video: info.video ?? null,
    audio: info.audio ?? [],
    subtitles: info.subtitles ?? [],
  };
}

/** An address that can be asked for: what people paste may lack its beginning. */
export function addressOf(text: string): string | null {
  const said = text.trim();
  if (!said || /\s/.test(said)) return null;
  const whole = /^https?:\/\//i.test(said)
    ? said
    : /^[\w-]+(\.[\w-]+)+(\/|$|\?)/.test(said)
      ? `https://${said}`
      : '';
  try {
    return whole && new URL(whole).hostname.includes('.') ? whole : null;
  } catch {
    return null;
  }
}

const number = (text: string): number | null => {
  const said = text.trim().replace(',', '.');
  return said === '' ? null : Number(said);
};
/** Leave out what is as it would be anyway. */
function said<T extends object>(all: T): Partial<T> {
  return Object.fromEntries(
    Object.entries(all).filter(([, value]) => {
      if (value === null || value === undefined || value === '' || value === false) return false;
      return typeof value !== 'object' || Object.keys(value as object).length > 0;
    }),
  ) as Partial<T>;
}

export class Draft {
  /** As it is typed. */
  address = $state('');
  /** A recording on its way. */
  sending = $state.raw<Upload>();
  /** A recording that is there. */
  file = $state.raw<UploadedFile>();
  /** What was found behind the address. */
  sight = $state.raw<Schemas['SightShape']>();

  targets = $state.raw<readonly string[]>([]);
  /** Empty: found out. */
  spoken = $state('');
  range = $state.raw<Range>({ start: null, end: null });

  voices = $state<Voices>('stock');
  keepVoices = $state(false);
  /** A statement that was given before; empty: a new one. */
  consent = $state('');
  who = $state('');
  statement = $state('');

  /** A file of subtitles on its way or there. */
  subtitles = $state.raw<Upload>();
  captions = $state(false);
  speakers = $state('');

  glossary = $state('');
  terms = $state('');
  tone = $state('');
  formality = $state<'' | 'formal' | 'informal'>('');
  instructions = $state('');

  keepOriginal = $state(false);
  /** LUFS; empty: as the source. */
  loudness = $state('');

  engines = $state.raw<Record<string, string>>({});
  /** Role -> option -> value, of the engines that are named. */
  options = $state.raw<Record<string, Record<string, string>>>({});

  title = $state('');
  budget = $state('');
  priority = $state('0');
  /** Days; empty: as the server does. */
  retention = $state('');

  constructor(known: Remembered = remembered()) {
    this.targets = [...(known.targets ?? [])];
    this.voices = known.voices ?? 'stock';
    this.keepOriginal = known.keepOriginal ?? false;
    this.loudness = known.loudness ?? '';
    this.formality = known.formality ?? '';
    this.glossary = known.glossary ?? '';
    this.engines = { ...known.engines };
    this.priority = known.priority ?? '0';
    this.retention = known.retention ?? '';
  }

  readonly link = $derived(addressOf(this.address));
  readonly media = $derived(this.file ? mediaOf(this.file) : null);
  /** Seconds of the whole source; null where nobody knows. */
  readonly seconds = $derived(this.media?.seconds || (this.link && this.sight?.seconds) || null);
  readonly hasSource = $derived(!!this.file || !!this.sending || this.link !== null);
  readonly hasText = $derived(!!this.subtitles || this.captions || !!this.media?.subtitles.length);
  /** The language of the source as it is said or as its only track has it; null: to be found out. */
  readonly from = $derived.by(() => {
    if (this.spoken) return this.spoken;
    if (this.link && this.sight?.language) return tagOf(this.sight.language);
    const tracks = this.media?.audio ?? [];
    return tracks.length === 1 ? tagOf(tracks[0]!.language) : null;
  });
  /** Whether files are still on their way. */
  readonly isSending = $derived(
    (!!this.sending && !this.file) || (!!this.subtitles && this.subtitles.state !== 'done'),
  );

  readonly source = $derived.by((): Source | null => {
    const none = { source: null, upload: null, file: null };
    if (this.file) return { ...none, upload: this.file.id };
    if (this.sending) return { ...none, file: { name: this.sending.name, size: this.sending.size } };
    return this.link ? { ...none, source: this.link } : null;
  });

  /** Everything but the source and the targets. */
  readonly wishes = $derived.by((): Partial<Wishes> => {
    const isCloning = this.voices === 'clone';
    const stated = { who: this.who.trim(), statement: this.statement.trim() };
    const engines = said(this.engines);
    const options = Object.fromEntries(
      Object.entries(this.options)
        .map(([role, found]) => [role, said(found)] as const)
        .filter(([role, found]) => engines[role] && Object.keys(found).length),
    ) as Record<string, Record<string, string>>;
    return said({
      spoken: this.spoken,
      start: this.range.start,
      end: this.range.end,
      clone_voices: isCloning,
      match_voices: this.voices === 'match',
      keep_voices: isCloning && this.keepVoices,
      consent: isCloning && !this.consent && (stated.who || stated.statement) ? stated : null,
      consent_id: isCloning ? this.consent : '',
      subtitles: this.subtitles ? (this.subtitles.result?.id ?? 'unsent') : null,
      captions: this.captions && !this.subtitles && this.link !== null && !this.file && !this.sending,
      speakers: number(this.speakers),
      glossary: this.glossary,
      terms: this.terms
        .split(/[\n,;]/)
        .map((term) => term.trim())
        .filter(Boolean),
      tone: this.tone.trim(),
      formality: this.formality,
      instructions: this.instructions.trim(),
      keep_original_audio: this.keepOriginal,
      loudness: number(this.loudness),
      engines: engines as Record<string, string>,
      options,
      budget: this.budget.trim().replace(',', '.'),
      priority: Number(this.priority) || null,
      retention_days: number(this.retention),
    }) as Partial<Wishes>;
  });

  readonly asked = $derived<Asked>({
    targets: this.targets,
    spoken: this.spoken || null,
    engines: this.wishes.engines ?? {},
  });

  /** The request for one dub. */
  spec(target: string): Spec {
    const { upload, source } = this.source ?? {};
    return { ...this.wishes, ...said({ upload, source, title: this.title.trim() }), target } as Spec;
  }

  /** Begin sending a recording in place of what was there. */
  send(file: File): void {
    this.drop();
    const sending = (this.sending = new Upload(file));
    void this.#follow(sending);
  }
  async #follow(sending: Upload): Promise<void> {
    await sending.start();
    if (this.sending === sending && sending.state === 'done') this.take(sending.result!);
  }
  /** Go on after a pause or a failure. */
  resume(): void {
    if (this.sending) void this.#follow(this.sending);
  }
  /** Use a recording that is there. */
  take(file: UploadedFile): void {
    this.address = '';
    this.sending = undefined;
    this.file = file;
    this.range = { start: null, end: null };
    this.sight = undefined;
  }
  /** No source any more; what is on its way is given up. */
  drop(): void {
    void this.sending?.cancel();
    this.address = '';
    this.sending = undefined;
    this.file = undefined;
    this.range = { start: null, end: null };
    this.sight = undefined;
  }

  /** Begin sending subtitles. */
  sendSubtitles(file: File): void {
    void this.subtitles?.cancel();
    this.subtitles = new Upload(file, 'subtitles');
    this.captions = false;
    void this.subtitles.start();
  }
  dropSubtitles(): void {
    void this.subtitles?.cancel();
    this.subtitles = undefined;
  }

  /** Keep the choices for the next dub. */
  remember(): void {
    remember({
      targets: [...this.targets],
      voices: this.voices === 'match' ? 'match' : 'stock',
      keepOriginal: this.keepOriginal,
      loudness: this.loudness,
      formality: this.formality,
      glossary: this.glossary,
      engines: { ...this.engines },
      priority: this.priority,
      retention: this.retention,
    });
  }
}

const SOURCE = 'autodub.new.source';

/** The draft of this tab: it lasts while one looks at other pages, and its source outlasts a reload. */
class Drafts {
  current = $state.raw(new Draft());
  #of: string | undefined;

  /** The draft of whoever is signed in. */
  for(user: string): Draft {
    if (this.#of !== undefined && this.#of !== user) this.renew();
    this.#of = user;
    return this.current;
  }
  /** Begin anew. */
  renew(): void {
    sessionStorage.removeItem(SOURCE);
    this.current = new Draft();
  }
  /** Note what the source is. */
  note(draft: Draft): void {
    const source = draft.file?.id ?? draft.address;
    if (source) sessionStorage.setItem(SOURCE, source);
    else sessionStorage.removeItem(SOURCE);
  }
  /** Id of an upload, or an address, from before a reload. */
  noted(): string | null {
    return sessionStorage.getItem(SOURCE);
  }
}
export const drafts = new Drafts();
