import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { GALLERY } from './galleryPages.ts';
import { html } from './html.ts';

/** Serves every page with sample data: `npm run gallery`, then open the address it prints. Buttons do nothing here. */
const port = Number(process.env.PORT ?? 8471);
const TYPES: Readonly<Record<string, string>> = { css: 'text/css', js: 'text/javascript', svg: 'image/svg+xml' };

const index = (): string =>
  html`<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Gallery</title><link rel="stylesheet" href="/assets/style.css"></head><body><main class="wide"><h1>Gallery</h1><ul>${Object.keys(GALLERY).map((key) => html`<li><a href="/${key}">${key}</a></li>`)}</ul></main></body></html>`
    .text;

const server = createServer((req, res) => {
  const path = (req.url ?? '/').split('?')[0] ?? '/';
  const asset = /^\/assets\/((?:style|app|icon)\.(css|js|svg))$/.exec(path);
  if (asset?.[1] !== undefined) {
    res.setHeader('content-type', TYPES[asset[2] ?? ''] ?? 'text/plain');
    res.end(readFileSync(new URL(`./assets/${asset[1]}`, import.meta.url)));
    return;
  }
  const name = path.slice(1);
  const page = path === '/' ? index : Object.hasOwn(GALLERY, name) ? GALLERY[name] : undefined;
  res.statusCode = page === undefined ? 404 : 200;
  res.setHeader('content-type', 'text/html; charset=utf-8');
  res.end(page?.() ?? 'no such page');
});

server.listen(port, '127.0.0.1', () => process.stdout.write(`http://127.0.0.1:${port}\n`));
