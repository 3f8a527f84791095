import { afterEach, expect, it } from 'vitest';
import { keepsFocus } from '../design/keepsFocus';
import { toHeading } from './arriving';

const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));
const show = (html: string): void => void (document.body.innerHTML = html);
afterEach(() => show(''));

it('the heading of a page that has loaded has the focus that the one before it had', async () => {
  show('<main><h1 tabindex="-1">Dub</h1></main>');
  const stop = toHeading();
  expect(document.activeElement?.textContent).toBe('Dub');
  document.querySelector('main')!.innerHTML = '<h1 tabindex="-1">A talk</h1><button>More</button>';
  await settled();
  expect(document.activeElement?.textContent).toBe('A talk');
  dispatchEvent(new KeyboardEvent('keydown', { key: 'Tab' }));
  document.querySelector('h1')!.remove();
  show('<main><h1 tabindex="-1">Another</h1></main>');
  await settled();
  expect(document.activeElement).toBe(document.body);
  stop();
});

it('where a button goes away under the hands its place has the focus', async () => {
  show('<div tabindex="-1"><button>Choose</button></div><button>Other</button>');
  const box = document.querySelector('div')!;
  const stop = keepsFocus(box);
  box.querySelector('button')!.focus();
  box.innerHTML = '<progress></progress><button>Stop</button>';
  await settled();
  expect(document.activeElement).toBe(box);
  box.querySelector('button')!.focus();
  document.querySelectorAll('button')[1]!.focus();
  box.innerHTML = '';
  await settled();
  expect(document.activeElement?.textContent).toBe('Other');
  stop();
});
