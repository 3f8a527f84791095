import { describe, expect, it } from 'vitest';
import { isTaken, Playing, type Which } from './playing.svelte';

describe('the player', () => {
  /** A media element that plays nothing and does as it is told. */
  function element(): HTMLVideoElement {
    const video = document.createElement('video');
    const state = { at: 0, isPaused: true };
    Object.defineProperties(video, {
      currentTime: {
        get: () => state.at,
        set: (at: number) => {
          state.at = at;
          video.dispatchEvent(new Event('seeking'));
          video.dispatchEvent(new Event('seeked'));
        },
      },
      paused: { get: () => state.isPaused },
      readyState: { get: () => 4 },
      duration: { get: () => 60 },
      play: {
        value: () => {
          state.isPaused = false;
          video.dispatchEvent(new Event('play'));
          return Promise.resolve();
        },
      },
      pause: {
        value: () => {
          state.isPaused = true;
          video.dispatchEvent(new Event('pause'));
        },
      },
    });
    return video;
  }
  function player(offset = 0): { playing: Playing; media: Record<Which, HTMLVideoElement> } {
    const playing = new Playing(() => offset);
    const media = { dub: element(), source: element() };
    for (const which of ['dub', 'source'] as const) playing.attach(which, media[which]);
    media.dub.dispatchEvent(new Event('loadedmetadata'));
    return { playing, media };
  }

  it('goes on at the same place with the other one', () => {
    const { playing, media } = player();
    playing.seek(12.345);
    playing.play();
    playing.other();
    expect([playing.which, playing.seen, playing.time]).toEqual(['source', 'source', 12.345]);
    expect([media.source.currentTime, media.source.paused, media.dub.paused]).toEqual([12.345, false, true]);
    playing.pause();
    playing.seek(20);
    playing.other();
    expect([media.dub.currentTime, media.dub.paused]).toEqual([20, true]);
  });

  it('knows that only a part of the original was dubbed', () => {
    const { playing, media } = player(100);
    playing.seek(5);
    playing.choose('source');
    expect([media.source.currentTime, playing.time]).toEqual([105, 5]);
    media.source.currentTime = 170;
    expect(playing.time).toBe(70);
  });

  it('does not change to what cannot be played', () => {
    const { playing } = player();
    playing.fail('source');
    playing.other();
    expect(playing.which).toBe('dub');
  });

  it('stays within the programme, and begins anew after its end', () => {
    const { playing, media } = player();
    playing.skip(-5);
    expect(playing.time).toBe(0);
    playing.skip(100);
    expect(playing.time).toBe(60);
    playing.play();
    expect(media.dub.currentTime).toBe(0);
  });

  it('plays both at the chosen speed', () => {
    const { playing, media } = player();
    playing.setRate(1.5);
    playing.other();
    expect([media.dub.playbackRate, media.source.playbackRate]).toEqual([1.5, 1.5]);
  });

  it.each([
    ['<input type="text">', 'o', true],
    ['<button></button>', ' ', true],
    ['<button></button>', 'o', false],
    ['<input type="checkbox">', ' ', true],
    ['<input type="radio">', ' ', false],
    ['<input type="radio">', 'o', false],
    ['<input type="radio">', 'ArrowLeft', true],
    ['<input type="range" data-place>', 'ArrowLeft', false],
    ['<input type="range">', 'ArrowLeft', true],
    ['<div role="tablist"></div>', 'ArrowLeft', true],
    ['<p></p>', ' ', false],
  ])('leaves keys to what has the focus: %s %s %s', (html, key, taken) => {
    document.body.innerHTML = html;
    let found: boolean | undefined;
    document.body.addEventListener('keydown', (event) => (found = isTaken(event)), { once: true });
    document.body.firstElementChild!.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
    expect(found).toBe(taken);
  });
});
