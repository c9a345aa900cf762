// Everything works without this file. It fetches the page again while something is under way and puts in the parts that changed,
// counts times down, and filters long tables. Nothing from the server is ever put in as text that becomes markup by our own doing:
// the answer is parsed as a document of its own (no script runs in it), and whole parts move over.

const HEADER = { 'x-firedamper-background': '1' };
const READ_AGAIN_MS = 4000;
const main = document.getElementById('main');
const stateLine = document.getElementById('live-state');
const partsOf = (root) => new Map([...root.querySelectorAll('[data-live]')].map((part) => [part.dataset.live, part]));
/** What the server last sent for each part: compared with what it sends now, so that typing does not look like a change. */
const sent = new Map([...partsOf(document)].map(([key, part]) => [key, part.outerHTML]));
let failures = 0;
/** Until then a changed plan cannot be approved, however often its part is exchanged meanwhile. */
let readUntil = 0;

async function refresh() {
  try {
    const response = await fetch(location.href, { headers: HEADER, redirect: 'follow', cache: 'no-store' });
    if (new URL(response.url).pathname === '/login') return ended();
    if (!response.ok) throw new Error(String(response.status));
    const next = new DOMParser().parseFromString(await response.text(), 'text/html');
    for (const [key, part] of partsOf(next)) exchange(key, part);
    main.dataset.refresh = next.getElementById('main').dataset.refresh ?? '';
    failures = 0;
    stateLine.textContent = '';
  } catch {
    failures += 1;
    if (failures > 1) stateLine.textContent = 'No answer from Firedamper: this page may be old.';
  }
  plan();
}

function ended() {
  stateLine.textContent = 'You are logged out: reload the page to log in again.';
}

function exchange(key, fresh) {
  const old = document.querySelector(`[data-live="${CSS.escape(key)}"]`);
  if (old === null || sent.get(key) === fresh.outerHTML) return;
  sent.set(key, fresh.outerHTML);
  const part = document.adoptNode(fresh);
  const before = memoryOf(old);
  old.replaceWith(part);
  restore(part, before);
  const digest = part.querySelector('input[name="digest"]');
  if (digest !== null && before.digest !== null && digest.value !== before.digest) readUntil = Date.now() + READ_AGAIN_MS;
  if (Date.now() < readUntil) readAgain(part);
  dress(part);
}

/** What a person did to a part: typed, opened, scrolled, put the cursor in. */
function memoryOf(part) {
  const active = document.activeElement;
  const focused = active !== null && active.id !== '' && part.contains(active) ? active : null;
  const typed = [...part.querySelectorAll('input[id], textarea[id]')].filter((field) => field.value !== field.defaultValue);
  return {
    digest: part.querySelector('input[name="digest"]')?.value ?? null,
    focus: focused?.id ?? null,
    selection: focused !== null && 'selectionStart' in focused ? [focused.selectionStart, focused.selectionEnd] : null,
    typed: typed.map((field) => [field.id, field.value]),
    open: new Map([...part.querySelectorAll('details[id]')].map((fold) => [fold.id, fold.open])),
    scrolled: [...part.querySelectorAll('.scroll[id]')].map((box) => [box.id, box.scrollLeft, box.scrollTop]),
  };
}

function restore(part, before) {
  const byId = (id) => part.querySelector(`#${CSS.escape(id)}`);
  for (const [id, value] of before.typed) {
    const field = byId(id);
    if (field !== null) field.value = value;
  }
  for (const [id, open] of before.open) {
    const fold = byId(id);
    if (fold !== null) fold.open = open;
  }
  for (const [id, left, top] of before.scrolled) byId(id)?.scrollTo(left, top);
  const focused = before.focus === null ? null : byId(before.focus);
  focused?.focus({ preventScroll: true });
  if (focused !== null && before.selection?.[0] !== null && before.selection !== null)
    focused.setSelectionRange?.(...before.selection);
}

/** The plan changed under the pointer: nobody shall approve what they have not had the time to see. */
function readAgain(part) {
  const button = part.querySelector('#approve-go');
  if (button === null) return;
  const words = button.textContent;
  button.disabled = true;
  button.textContent = 'The plan has changed: read it again';
  setTimeout(() => {
    button.disabled = false;
    button.textContent = words;
  }, readUntil - Date.now());
}

function dress(root) {
  for (const time of root.querySelectorAll('time[datetime]')) {
    const at = new Date(time.dateTime);
    time.title = `${time.dateTime}, here ${at.toLocaleString()}`;
  }
  for (const field of root.querySelectorAll('[data-filter]')) {
    field.parentElement.hidden = false;
    const apply = () => filterRows(document.getElementById(field.dataset.filter), field.value);
    field.addEventListener('input', apply);
    if (field.value !== '') apply();
  }
}

function filterRows(table, text) {
  const wanted = text.trim().toLowerCase();
  for (const row of table?.tBodies[0]?.rows ?? []) row.hidden = wanted !== '' && !row.textContent.toLowerCase().includes(wanted);
}

function countDown() {
  for (const place of document.querySelectorAll('[data-until]')) {
    const seconds = Math.max(0, Math.floor((Date.parse(place.dataset.until) - Date.now()) / 1000));
    place.textContent = seconds === 0 ? 'now' : `in ${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')} min`;
    place.classList.toggle('soon', seconds < 300);
  }
}

function plan() {
  const seconds = Number(main?.dataset.refresh);
  // A page that nobody looks at asks less often; one that has lost the service asks slowly too.
  if (seconds > 0) setTimeout(refresh, 1000 * (document.hidden || failures > 1 ? Math.max(seconds, 30) : seconds));
}

for (const box of document.querySelectorAll('[data-middle]'))
  box.scrollTop = box.scrollHeight * Number(box.dataset.middle) - box.clientHeight / 2;
dress(document);
countDown();
setInterval(countDown, 1000);
plan();
