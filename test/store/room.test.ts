import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { watchRoom } from '../../src/store/room.ts';

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
const WANTED = 256 * MIB;

/** A volume whose room and clock the test sets. */
function volume(size: number, minFree = WANTED) {
  const disk = { free: size, size, at: 0, looks: 0 };
  const look = (folder: string) => {
    expect(folder).toBe('/data');
    disk.looks++;
    return disk;
  };
  const room = watchRoom('/data/fd.db', minFree, look, () => disk.at);
  const with_ = (free: number) => {
    disk.free = free;
    disk.at += 1_000;
    return room.shortage();
  };
  return { disk, room, with_ };
}

test('on a large volume so much is kept as is asked for, and nothing is accepted below it', () => {
  const { room, with_ } = volume(100 * GIB);
  expect(with_(WANTED)).toBeNull();
  expect(with_(WANTED - 1)).toBe(
    'the disk is nearly full: only 256 MiB are free where /data/fd.db is, and the last 256 MiB are kept for what was accepted',
  );
  expect(() => room.need()).toThrow(/nearly full.*nothing was stored/);
  expect(with_(WANTED)).toBeNull();
  expect(() => room.need()).not.toThrow();
});

test('of a small volume a tenth is kept, so that it accepts anything at all', () => {
  const { with_ } = volume(100 * MIB);
  expect(with_(100 * MIB)).toBeNull();
  expect(with_(10 * MIB)).toBeNull();
  expect(with_(10 * MIB - 1)).toMatch(/the last 10 MiB are kept/);
});

test('0 keeps nothing, and a file system that does not say how big it is keeps nobody out', () => {
  expect(volume(100 * GIB, 0).with_(0)).toBeNull();
  expect(volume(0).with_(0)).toBeNull();
});

test('looked at once a second, however many callbacks come', () => {
  const { disk, room } = volume(100 * GIB);
  for (let i = 0; i < 100; i++) room.need();
  expect(disk.looks).toBe(1);
  disk.free = 0;
  disk.at += 999;
  expect(room.shortage()).toBeNull();
  disk.at += 1;
  expect(room.shortage()).not.toBeNull();
});

test('the real one says how much is free', () => {
  expect(watchRoom(join(tmpdir(), 'fd.db'), 0).freeBytes()).toBeGreaterThan(0);
  expect(watchRoom(join(tmpdir(), 'nowhere', 'fd.db'), 1).freeBytes(), 'nobody knows').toBe(0);
});
