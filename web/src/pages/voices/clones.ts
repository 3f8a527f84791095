// Which speakers of a dub speak with a clone of their own voice, and on whose word.
import type { Schemas } from '../../api';

type Consent = Schemas['ConsentShape'];
export interface Clone {
  consent: string;
  who: string;
}

/** Speaker -> the statement their voice was cloned on, of one job. */
export function clonesOf(consents: readonly Consent[], job: string): Map<string, Clone> {
  return new Map(
    consents.flatMap((one) =>
      one.voices
        .filter((voice) => voice.job === job && voice.voice)
        .map((voice) => [voice.speaker, { consent: one.id, who: one.who }] as const),
    ),
  );
}
