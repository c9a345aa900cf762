/** What stands where Firedamper is thought to be: it passes on to the real service, or does to its callers what a broken one does. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';

export type Mood = 'pass' | 'down' | 'hang' | 'slow' | 'error' | 'garbage';

const SLOW_MS = 10_000;

export class Door {
  mood: Mood = 'pass';
  /** Answers of the real service, by status. */
  readonly passed = new Map<number, number>();
  /** Address of the real service. */
  target = '';
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  port = 0;

  constructor() {
    this.#server = createServer((request, response) => {
      this.#meet(request, response).catch((error) => response.destroy(error));
    });
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket)).on('error', () => undefined);
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Opens the door at the same port each time. */
  async open(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(this.port, '127.0.0.1', resolve));
    this.port = (this.#server.address() as AddressInfo).port;
  }

  /** `down`: nobody listens at the port any more. */
  async turn(mood: Mood): Promise<void> {
    this.mood = mood;
    for (const socket of this.#sockets) socket.destroy();
    if (mood === 'down' && this.#server.listening) await new Promise<void>((resolve) => this.#server.close(() => resolve()));
    if (mood !== 'down' && !this.#server.listening) await this.open();
  }

  async close(): Promise<void> {
    await this.turn('down');
  }

  async #meet(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await bodyOf(request);
    if (this.mood === 'pass') return this.#pass(request, response, body);
    if (this.mood === 'error') response.writeHead(500, { 'content-type': 'text/plain' }).end('no');
    else if (this.mood === 'garbage') response.socket?.end('\u0000\u00ff<html>this is not HTTP</html>\r\n\r\n');
    else if (this.mood === 'slow') setTimeout(() => response.writeHead(202).end('{}'), SLOW_MS).unref();
    // hang: read, never answered
  }

  async #pass(request: IncomingMessage, response: ServerResponse, body: Buffer): Promise<void> {
    const own = new Set(['host', 'connection', 'content-length', 'transfer-encoding']);
    const headers = Object.entries(request.headers).filter(([name]) => !own.has(name)) as [string, string][];
    const init = { method: request.method ?? 'POST', headers: Object.fromEntries(headers), body: new Uint8Array(body) };
    const answer = await fetch(`${this.target}${request.url}`, init);
    this.passed.set(answer.status, (this.passed.get(answer.status) ?? 0) + 1);
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'application/json' });
    response.end(Buffer.from(await answer.arrayBuffer()));
  }
}

/** An https server whose certificate nobody has reason to believe. Made by the cryptography package, which every Airflow brings along. */
export async function startUntrusted(
  python: string,
  dir: string,
): Promise<{ url: string; met: () => number; close: () => void }> {
  const [key, cert] = [join(dir, 'untrusted.key'), join(dir, 'untrusted.pem')];
  execFileSync(python, ['-c', CERTIFICATE, key, cert]);
  let met = 0;
  const server: TlsServer = createTlsServer({ key: readFileSync(key), cert: readFileSync(cert) }, (_, response) => {
    met += 1; // a request got through: the certificate was believed
    response.writeHead(202).end('{}');
  });
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    met: () => met,
    close: () => server.close(),
  };
}

const CERTIFICATE = `
import datetime, ipaddress, sys
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
key = ec.generate_private_key(ec.SECP256R1())
name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
now = datetime.datetime.now(datetime.timezone.utc)
certificate = (
    x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(x509.random_serial_number())
    .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
    .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
    .sign(key, hashes.SHA256())
)
form = serialization.PrivateFormat.PKCS8
open(sys.argv[1], "wb").write(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
open(sys.argv[2], "wb").write(certificate.public_bytes(serialization.Encoding.PEM))
`;

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
