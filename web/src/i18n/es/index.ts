import common from './common.json';
import shell from './shell.json';
import signin from './signin.json';
import newdub from './newdub.json';
import jobs from './jobs.json';
import job from './job.json';
import result from './result.json';
import studio from './studio.json';
import voices from './voices.json';
import glossaries from './glossaries.json';
import usage from './usage.json';
import settings from './settings.json';
import admin from './admin.json';

export default {
  common,
  shell,
  signin,
  newdub,
  jobs,
  job,
  result,
  studio,
  voices,
  glossaries,
  usage,
  settings,
  admin,
};
