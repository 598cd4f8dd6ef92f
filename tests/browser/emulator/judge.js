// What a page does, in Node.js, where somebody else's emulator stands for the browser and the authenticator.
//
//   node judge.js ORIGIN APPLICATION USER TICKET
//
// Registers with the ticket and signs in, with the user's name and without; prints what was answered.

import nid from "nid-webauthn-emulator"; // a CommonJS module

import { Passkeys, capabilities } from "../../../clients/passkeys/powerauth-passkeys.js";

const [origin, application, userId, ticket] = process.argv.slice(2);
const { default: WebAuthnEmulator, AuthenticatorEmulator } = nid;
const emulator = new WebAuthnEmulator(new AuthenticatorEmulator({ algorithmIdentifiers: ["ES256"] }));
const credentials = {
  create: async (options) => emulator.create(origin, options),
  get: async (options) => emulator.get(origin, options),
};
Object.defineProperty(globalThis, "navigator", { value: { credentials }, configurable: true });
globalThis.PublicKeyCredential = class {};

const passkeys = new Passkeys(application, { baseUrl: `${origin}/enrollment-server` });
const said = {
  capabilities: await capabilities(),
  registered: await passkeys.register({ ticket, name: "Emulator" }),
  named: await passkeys.signIn({ userId }),
  unnamed: await passkeys.signIn(),
  refused: await passkeys.register({ ticket, name: "Emulator" }).catch(({ code, status }) => ({ code, status })),
};
console.log(JSON.stringify(said));
