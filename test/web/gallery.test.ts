import { describe, expect, test } from 'vitest';
import { GALLERY } from '../../src/web/galleryPages.ts';
import { HOSTILE } from '../../src/web/galleryViews.ts';
import { all, attribute, read } from './support.ts';

const pages = Object.entries(GALLERY).map(([name, make]) => [name, read(make())] as const);

describe.each(pages)('the page %s', (_, page) => {
  test('is well-formed: tags nested, texts and attributes escaped', () => {
    expect(page.faults).toEqual([]);
  });

  test('has nothing inline that the content policy would have to allow', () => {
    for (const tag of page.tags) {
      for (const [name, value] of tag.attributes) {
        expect(name, `${tag.name} ${name}`).not.toMatch(/^on|^style$/);
        if (name === 'href' || name === 'src' || name === 'action') expect(value).toMatch(/^(\/|#|https?:\/\/)/);
      }
    }
    expect(all(page, 'style')).toEqual([]);
    expect(all(page, 'script').map((script) => attribute(script, 'src'))).toEqual(['/assets/app.js']);
  });

  test('can be used without eyes and without a mouse', () => {
    const ids = page.tags.map((tag) => tag.attributes.get('id')).filter((id) => id !== undefined);
    expect(
      ids.filter((id, i) => ids.indexOf(id) !== i),
      'ids twice',
    ).toEqual([]);
    for (const label of all(page, 'label')) expect(ids).toContain(attribute(label, 'for'));
    const labelled = all(page, 'label').map((label) => attribute(label, 'for'));
    const fields = page.tags.filter(
      (tag) => ['input', 'textarea', 'select'].includes(tag.name) && attribute(tag, 'type') !== 'hidden',
    );
    for (const field of fields) expect(labelled, `a label for ${attribute(field, 'id')}`).toContain(attribute(field, 'id'));
    for (const part of page.tags.filter((tag) => tag.attributes.has('aria-labelledby')))
      expect(ids).toContain(attribute(part, 'aria-labelledby'));
    expect(all(page, 'h1')).toHaveLength(1);
    expect(all(page, 'main')).toHaveLength(1);
    for (const image of all(page, 'img')) expect(image.attributes.has('alt')).toBe(true);
    // Hidden from screen readers: then nothing in it may take the keyboard.
    for (const link of all(page, 'a').filter((a) => a.parents.includes('svg'))) expect(attribute(link, 'tabindex')).toBe('-1');
    for (const cell of all(page, 'th')) expect(attribute(cell, 'scope')).toMatch(/^(col|row)$/);
  });

  test('changes nothing by being looked at: every form that acts is a POST', () => {
    for (const form of all(page, 'form')) {
      const [method, action] = [attribute(form, 'method'), attribute(form, 'action')];
      if (method === 'get') expect(['/incidents', '/dags']).toContain(action);
      else expect(method).toBe('post');
    }
  });
});

test('hostile names and texts come out as text, wherever they stand', () => {
  const page = read(GALLERY['incident-hostile']!());
  const times = page.text.split(HOSTILE).length - 1;
  // Title, DAG, rule, person, gap, error, warning, requester, step, graph, table: all of them.
  expect(times).toBeGreaterThan(12);
  expect(page.tags.filter((tag) => tag.name === 'img' && attribute(tag, 'src') !== '/assets/icon.svg')).toEqual([]);
  expect(page.tags.some((tag) => tag.attributes.get('href')?.startsWith('javascript'))).toBe(false);
});
