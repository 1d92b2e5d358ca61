// Makes a passkey, or signs in with one: the browser's authenticator signs what the service asks.
"use strict";

const button = document.getElementById("passkey");
const refused = document.getElementById("passkey-refused");
const toBytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
const toText = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

async function ask(path, body) {
  const headers = {
    accept: "application/json",
    "content-type": "application/json",
    "x-form-token": document.querySelector("meta[name=form-token]").content,
  };
  const answer = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
  const told = await answer.json();
  if (!answer.ok) throw new Error(`${told.error.reason}. ${told.error.fix}`);
  return told;
}

const known = (list) => (list || []).map((each) => ({ ...each, id: toBytes(each.id) }));

function plain(credential, fields) {
  const response = {};
  for (const name of fields) if (credential.response[name]) response[name] = toText(credential.response[name]);
  const { id, type } = credential;
  return { id, rawId: toText(credential.rawId), type, response, clientExtensionResults: {} };
}

async function register() {
  const options = await ask("/account/passkeys/options", { code: document.getElementById("passkey-code").value });
  options.challenge = toBytes(options.challenge);
  options.user.id = toBytes(options.user.id);
  options.excludeCredentials = known(options.excludeCredentials);
  const made = await navigator.credentials.create({ publicKey: options });
  const credential = plain(made, ["clientDataJSON", "attestationObject"]);
  await ask("/account/passkeys", { credential, label: document.getElementById("label").value });
  location.assign("/account");
}

async function signIn() {
  const options = await ask("/sign-in/passkey/options", {});
  options.challenge = toBytes(options.challenge);
  options.allowCredentials = known(options.allowCredentials);
  const got = await navigator.credentials.get({ publicKey: options });
  const fields = ["clientDataJSON", "authenticatorData", "signature", "userHandle"];
  location.assign((await ask("/sign-in/passkey", plain(got, fields))).go);
}

if (window.PublicKeyCredential && button) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    refused.hidden = true;
    try {
      await (button.dataset.do === "register" ? register() : signIn());
    } catch (error) {
      refused.textContent = error.name === "NotAllowedError" ? "The device did not go on. Try again." : error.message;
      refused.hidden = false;
    }
  });
}
