import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Player, type Side } from './player.svelte';

/** A media element without media: its time goes on when it is told to. */
class FakeMedia extends EventTarget {
  currentTime = 0;
  readyState = 4;
  seeking = false;
  paused = true;
  playbackRate = 1;
  play = (): Promise<void> => {
    this.paused = false;
    return Promise.resolve();
  };
  pause = (): void => {
    this.paused = true;
  };
  getAttribute = (): string => 'src';
}

let player: Player;
let media: Record<Side, FakeMedia>;
let frames: (() => void)[];
/** One frame, at a moment of the side that plays. */
function frame(at: number): void {
  media[player.side].currentTime = at;
  for (const go of frames.splice(0)) go();
}

beforeEach(() => {
  frames = [];
  vi.stubGlobal('requestAnimationFrame', (go: () => void) => frames.push(go));
  vi.stubGlobal('cancelAnimationFrame', () => (frames = []));
  player = new Player();
  media = { dub: new FakeMedia(), source: new FakeMedia() };
  for (const side of ['dub', 'source'] as const) player.attach(side)(media[side] as never);
});
afterEach(() => vi.unstubAllGlobals());

describe('the player', () => {
  test('follows what plays, and changes sides without losing the place', () => {
    player.play();
    frame(3);
    expect(player.time).toBe(3);
    player.turn('source');
    expect(media.dub.paused).toBe(true);
    expect(media.source.paused).toBe(false);
    expect(media.source.currentTime).toBe(3);
  });
  test('a part of the source is dubbed: its file is so much ahead', () => {
    player.offset = 60;
    player.turn('source');
    player.seek(2);
    expect(media.source.currentTime).toBe(62);
    player.play();
    frame(63);
    expect(player.time).toBe(3);
  });
  test('a part is heard to its end', () => {
    player.hear({ start: 2, end: 4 });
    expect(media.dub.currentTime).toBe(2);
    frame(3.9);
    expect(player.isPlaying).toBe(true);
    frame(4.01);
    expect(player.isPlaying).toBe(false);
    expect(player.time).toBe(4);
  });
  test('in a loop it begins again, until somebody goes elsewhere', () => {
    player.isLooping = true;
    player.hear({ start: 2, end: 4 });
    frame(4.01);
    expect(player.isPlaying).toBe(true);
    expect(media.dub.currentTime).toBe(2);
    player.seek(10);
    expect(player.part).toBeNull();
  });
  test('what cannot be played is told, and playing elsewhere goes on', () => {
    media.source.dispatchEvent(new Event('error'));
    expect(player.broken.has('source')).toBe(true);
    media.source.dispatchEvent(new Event('loadedmetadata'));
    expect(player.broken.size).toBe(0);
  });
  test('another result begins where the old one was, and goes on', () => {
    player.play();
    frame(5);
    media.dub.currentTime = 0;
    media.dub.dispatchEvent(new Event('loadedmetadata'));
    expect(media.dub.currentTime).toBe(5);
    expect(media.dub.paused).toBe(false);
  });
  test('it stays within the programme', () => {
    player.limit = 10;
    player.seek(12);
    expect(player.time).toBe(10);
    player.seek(-3);
    expect(player.time).toBe(0);
  });
});
