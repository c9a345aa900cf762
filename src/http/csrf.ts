import type { Request } from 'express';

/**
 * True unless the request certainly comes from a page of our own. `Sec-Fetch-Site` is written by the browser and cannot be forged
 * by a page; browsers leave it out on plain http to other hosts than localhost, so `Origin` is the fallback. Neither: refused.
 */
export function crossSite(req: Request, publicUrl: string): boolean {
  const site = req.headers['sec-fetch-site'];
  if (site !== undefined) return site !== 'same-origin';
  const origin = req.headers.origin;
  if (origin === undefined || origin === 'null') return true;
  const url = URL.parse(origin);
  if (url === null) return true;
  return url.origin !== URL.parse(publicUrl)?.origin && url.host !== req.headers.host;
}
