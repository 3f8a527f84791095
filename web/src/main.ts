import { mount } from 'svelte';
import './design/tokens.css';
import './design/base.css';
import { session } from './api';
import { theme } from './design/theme.svelte';
import { locale } from './i18n/index.svelte';
import { match, router } from './router.svelte';
import { ROUTES } from './routes';
import App from './shell/App.svelte';

theme.begin();
router.begin((path) => match(ROUTES, path).route !== null);
const known = session.load().then(
  () => undefined,
  (thrown: unknown) => thrown,
);
void match(ROUTES, location.pathname).route?.load();
await locale.begin();
mount(App, { target: document.getElementById('app')!, props: { known } });
