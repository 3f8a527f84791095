// Every key there is, by the English files: a typo is an error of types.
import type common from './en/common.json';
import type shell from './en/shell.json';
import type signin from './en/signin.json';
import type newdub from './en/newdub.json';
import type jobs from './en/jobs.json';
import type job from './en/job.json';
import type result from './en/result.json';
import type studio from './en/studio.json';
import type voices from './en/voices.json';
import type glossaries from './en/glossaries.json';
import type usage from './en/usage.json';
import type settings from './en/settings.json';
import type admin from './en/admin.json';

export interface Areas {
  common: typeof common;
  shell: typeof shell;
  signin: typeof signin;
  newdub: typeof newdub;
  jobs: typeof jobs;
  job: typeof job;
  result: typeof result;
  studio: typeof studio;
  voices: typeof voices;
  glossaries: typeof glossaries;
  usage: typeof usage;
  settings: typeof settings;
  admin: typeof admin;
}
export type Key = { [A in keyof Areas]: `${A}.${keyof Areas[A] & string}` }[keyof Areas];
type Text = string | Record<string, string>;
export type Messages = { [A in keyof Areas]: { [K in keyof Areas[A]]: Text } };
