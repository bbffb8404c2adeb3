#include "serve/page.h"

#include <string_view>

#include "serve/message.h"

namespace fovea::serve {
namespace {

constexpr std::string_view kPage = R"HTML(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>fovea</title>
<link rel="icon" href="page/icon.svg">
<link rel="stylesheet" href="page/style.css">
</head>
<body>
<header>
  <h1>fovea</h1>
  <label id="model-choice" hidden>Model <select id="model"></select></label>
  <p id="about"></p>
</header>
<main>
  <section id="drop" aria-label="Choose pictures">
    <p><strong>Drop pictures here</strong>, or paste one.</p>
    <p class="buttons">
      <button type="button" id="choose">Choose pictures</button>
      <button type="button" id="camera">Use the camera</button>
    </p>
    <input type="file" id="files" accept="image/*,.tif,.tiff,.jp2,.jxl,.heic,.avif,.tga,.pnm" multiple hidden>
    <div id="live" hidden>
      <video id="video" playsinline muted aria-label="What the camera sees"></video>
      <p class="buttons">
        <button type="button" id="shoot">Take the picture</button>
        <button type="button" id="stop">Stop the camera</button>
      </p>
    </div>
    <form id="login" hidden>
      <label>This server asks for a token <input type="password" id="token" autocomplete="off"></label>
      <button>Use it</button>
    </form>
  </section>
  <p id="status" role="status" aria-live="polite"></p>
  <div id="results"></div>
</main>
<template id="card">
  <article tabindex="-1">
    <figure>
      <div class="frame"><img class="picture" alt=""><img class="heat" alt="" hidden></div>
      <figcaption></figcaption>
    </figure>
    <div class="answer">
      <p class="error" role="alert" hidden></p>
      <ol class="classes"></ol>
      <p class="buttons">
        <button type="button" class="look" aria-pressed="false" hidden>Where it looked</button>
        <button type="button" class="remove">Remove</button>
      </p>
      <p class="time"></p>
      <div class="similar" hidden><h3>Most similar pictures</h3><ul></ul></div>
    </div>
  </article>
</template>
<noscript><p>This page needs JavaScript. Without it: <code>curl --data-binary @photo.jpg SERVER/predict</code></p></noscript>
<script src="page/script.js"></script>
</body>
</html>
)HTML";

constexpr std::string_view kStyle = R"CSS(
:root { color-scheme: light dark; --page: #f4f6f8; --card: #fff; --text: #1b2430; --muted: #566272; --line: #dfe4ea; --soft: #eef1f5; --accent: #1d5fb4;
  --on-accent: #fff; --bar: #8fb3de; --wrong: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --page: #11151b; --card: #191f28; --text: #e4e9f0; --muted: #a2adbb; --line: #2e3743; --soft: #222a35;
  --accent: #79aef2; --on-accent: #0d1420; --bar: #35659f; --wrong: #f2857c; } }
* { box-sizing: border-box; }
[hidden] { display: none !important; }
body { margin: 0; background: var(--page); color: var(--text); font: 16px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif; }
header, main { max-width: 1080px; margin: 0 auto; padding: 0 20px; }
header { display: flex; flex-wrap: wrap; gap: 4px 20px; align-items: baseline; padding-top: 22px; }
h1 { font-size: 1.6rem; margin: 0; letter-spacing: .01em; }
h3 { font-size: .95rem; margin: 16px 0 6px; }
#about { color: var(--muted); margin: 0; overflow-wrap: anywhere; }
select, input[type=password] { font: inherit; color: inherit; background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: 4px 8px; max-width: 100%; }
#drop { margin-top: 16px; padding: 26px 20px 14px; text-align: center; background: var(--card); border: 2px dashed var(--line); border-radius: 12px; }
#drop.over { border-color: var(--accent); background: var(--soft); }
#drop p { margin: 0 0 12px; }
.buttons { display: flex; flex-wrap: wrap; gap: 10px; margin: 12px 0 0; }
#drop .buttons { justify-content: center; }
button { font: inherit; min-height: 40px; padding: 6px 16px; border-radius: 8px; border: 1px solid var(--line); background: var(--soft); color: var(--text); cursor: pointer; }
#choose, #shoot { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
button[aria-pressed=true] { border-color: var(--accent); box-shadow: inset 0 0 0 1px var(--accent); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
video { width: 100%; max-width: 480px; border-radius: 8px; background: #000; }
#status { color: var(--muted); min-height: 1.5em; margin: 12px 0; }
article { display: grid; grid-template-columns: minmax(200px, 340px) 1fr; gap: 22px; background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  padding: 18px; margin-bottom: 16px; }
figure { margin: 0; min-width: 0; }
.frame { position: relative; border-radius: 8px; overflow: hidden; background: var(--soft); }
.frame img { display: block; width: 100%; height: auto; }
.frame .heat { position: absolute; inset: 0; height: 100%; }
figcaption { color: var(--muted); font-size: .85rem; margin-top: 6px; overflow-wrap: anywhere; }
.answer { min-width: 0; }
.classes { list-style: none; margin: 0; padding: 0; }
.classes li { display: grid; grid-template-columns: 1fr auto; gap: 0 12px; margin-bottom: 9px; overflow-wrap: anywhere; }
.classes li:first-child { font-weight: 600; }
.classes .share { font-variant-numeric: tabular-nums; }
.classes progress { grid-column: 1 / -1; width: 100%; height: 8px; border: 0; border-radius: 4px; overflow: hidden; background: var(--soft); appearance: none; }
.classes progress::-webkit-progress-bar { background: var(--soft); }
.classes progress::-webkit-progress-value { background: var(--bar); }
.classes progress::-moz-progress-bar { background: var(--bar); }
.time { color: var(--muted); font-size: .85rem; margin: 12px 0 0; }
.error { color: var(--wrong); margin: 0 0 10px; overflow-wrap: anywhere; }
.similar ul { list-style: none; display: grid; grid-template-columns: repeat(auto-fill, minmax(84px, 1fr)); gap: 10px; margin: 0; padding: 0; }
.similar img { display: block; width: 100%; aspect-ratio: 1; object-fit: cover; border-radius: 6px; background: var(--soft); }
.similar span { font-size: .78rem; color: var(--muted); overflow-wrap: anywhere; }
@media (max-width: 640px) { article { grid-template-columns: 1fr; } header, main { padding-left: 12px; padding-right: 12px; } }
@media (prefers-reduced-motion: no-preference) { progress { transition: width .2s; } }
)CSS";

constexpr std::string_view kScript = R"JS('use strict';
const $ = id => document.getElementById(id);
let token = sessionStorage.getItem('token') || '', models = [], camera = null, waiting = [], working = false;

async function ask(path, options = {}) {
  const headers = new Headers(options.headers || {});
  if (token) headers.set('Authorization', 'Bearer ' + token);
  const answer = await fetch(path, {...options, headers});
  if (answer.status === 401) $('login').hidden = false;
  if (!answer.ok) {
    let reason = answer.status + ' ' + answer.statusText;
    try { reason = (await answer.json()).error || reason; } catch (none) { /* not from this server */ }
    throw new Error(reason);
  }
  return answer;
}

const chosen = () => models.find(model => model.name === $('model').value) || models[0];
const inquiry = (more = {}) => '?' + new URLSearchParams({model: chosen().name, ...more});
const percent = share => (100 * share).toFixed(1) + ' %';

function describe() {
  const model = chosen();
  if (!model) return;
  const parts = [model.architecture, model.classes.length ? model.classes.length + ' classes' : model.features + ' features', model.width + ' × ' + model.height];
  $('about').textContent = parts.join(', ');
}

async function begin() {
  try {
    models = (await (await ask('models')).json()).models;
    $('login').hidden = true;
    $('status').textContent = '';
  } catch (error) {
    $('status').textContent = error.message;
    return;
  }
  $('model').replaceChildren(...models.map(model => new Option(model.name, model.name)));
  $('model-choice').hidden = models.length < 2;
  describe();
  work();
}

function add(files) {
  for (const file of files) {
    const card = $('card').content.firstElementChild.cloneNode(true);
    const address = URL.createObjectURL(file);
    const name = file.name || 'pasted picture';
    const picture = card.querySelector('.picture');
    picture.src = address;
    picture.alt = name;
    picture.addEventListener('error', () => { picture.hidden = true; });
    card.querySelector('figcaption').textContent = name;
    const remove = card.querySelector('.remove');
    remove.setAttribute('aria-label', 'Remove ' + name);
    remove.addEventListener('click', () => { card.remove(); URL.revokeObjectURL(address); $('choose').focus(); });
    $('results').prepend(card);
    waiting.push({file, card, name});
  }
  work();
}

async function work() {
  if (working || models.length === 0) return;
  working = true;
  while (waiting.length) {
    const {file, card, name} = waiting.shift();
    $('status').textContent = 'Looking at ' + name + ' …';
    await look(file, card, name);
  }
  working = false;
}

async function look(file, card, name) {
  const started = performance.now();
  try {
    const model = chosen();
    if (model.classes.length) {
      const answer = await (await ask('predict' + inquiry({top: 5}), {method: 'POST', body: file})).json();
      card.querySelector('.classes').replaceChildren(...answer.classes.map(row));
      const best = answer.classes[0];
      $('status').textContent = name + ': ' + best.name + ', ' + percent(best.probability);
    } else {
      await ask('embed' + inquiry(), {method: 'POST', body: file});
      $('status').textContent = name + ': done';
    }
    card.querySelector('.time').textContent = Math.round(performance.now() - started) + ' ms, ' + model.name + ' version ' + model.version;
    heat(file, card, name);
    if (model.neighbors) await similar(file, card);
  } catch (error) {
    const place = card.querySelector('.error');
    place.textContent = error.message;
    place.hidden = false;
    $('status').textContent = name + ': ' + error.message;
  }
}

function row(one) {
  const line = document.createElement('li');
  const name = document.createElement('span'), share = document.createElement('span'), bar = document.createElement('progress');
  name.textContent = one.name;
  share.textContent = percent(one.probability);
  share.className = 'share';
  bar.value = one.probability;
  bar.max = 1;
  bar.setAttribute('aria-hidden', 'true');
  line.append(name, share, bar);
  return line;
}

function heat(file, card, name) {
  const button = card.querySelector('.look'), picture = card.querySelector('.heat');
  const at = inquiry();
  let there = false;
  button.hidden = false;
  button.addEventListener('click', async () => {
    const show = button.getAttribute('aria-pressed') !== 'true';
    button.disabled = true;
    try {
      if (show && !there) {
        picture.src = URL.createObjectURL(await (await ask('explain' + at, {method: 'POST', body: file})).blob());
        picture.alt = 'Where the network looked in ' + name + ': yellow where most';
        there = true;
      }
      picture.hidden = !show;
      button.setAttribute('aria-pressed', String(show));
    } catch (error) {
      $('status').textContent = error.message;
    }
    button.disabled = false;
    button.focus();
  });
}

async function similar(file, card) {
  const at = inquiry({top: 6});
  const answer = await (await ask('neighbors' + at, {method: 'POST', body: file})).json();
  const list = card.querySelector('.similar ul');
  for (const one of answer.neighbors) {
    const entry = document.createElement('li'), picture = document.createElement('img'), words = document.createElement('span');
    picture.alt = one.file;
    words.textContent = one.similarity.toFixed(3) + ' ' + one.file.split('/').pop();
    entry.append(picture, words);
    list.append(entry);
    ask('neighbors/picture' + inquiry({row: one.row})).then(async small => { picture.src = URL.createObjectURL(await small.blob()); }, () => {});
  }
  card.querySelector('.similar').hidden = false;
}

async function openCamera() {
  try {
    camera = await navigator.mediaDevices.getUserMedia({video: {facingMode: 'environment'}});
    $('video').srcObject = camera;
    await $('video').play();
    $('live').hidden = false;
    $('shoot').focus();
  } catch (error) {
    $('status').textContent = 'The camera cannot be used: ' + (error.message || error.name || 'browsers give it to pages of this machine and by https alone');
  }
}

function closeCamera() {
  if (camera) camera.getTracks().forEach(track => track.stop());
  camera = null;
  $('live').hidden = true;
  $('camera').focus();
}

function shoot() {
  const video = $('video'), canvas = document.createElement('canvas');
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext('2d').drawImage(video, 0, 0);
  canvas.toBlob(blob => add([new File([blob], 'camera.png', {type: 'image/png'})]), 'image/png');
}

$('choose').addEventListener('click', () => $('files').click());
$('files').addEventListener('change', () => { add($('files').files); $('files').value = ''; });
$('camera').addEventListener('click', openCamera);
$('stop').addEventListener('click', closeCamera);
$('shoot').addEventListener('click', shoot);
$('model').addEventListener('change', describe);
$('login').addEventListener('submit', event => {
  event.preventDefault();
  token = $('token').value;
  sessionStorage.setItem('token', token);
  begin();
});
addEventListener('dragover', event => { event.preventDefault(); $('drop').classList.add('over'); });
addEventListener('dragleave', event => { if (!event.relatedTarget) $('drop').classList.remove('over'); });
addEventListener('drop', event => { event.preventDefault(); $('drop').classList.remove('over'); add(event.dataTransfer.files); });
addEventListener('paste', event => { if (event.clipboardData.files.length) add(event.clipboardData.files); });
begin();
)JS";

constexpr std::string_view kIcon =
    R"SVG(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><path d="M2 16Q16 2 30 16Q16 30 2 16Z" fill="#1d5fb4"/><circle cx="16" cy="16" r="6" fill="#fff"/><circle cx="16" cy="16" r="2.5" fill="#1b2430"/></svg>
)SVG";

// Nothing from elsewhere, and no script but its own.
Response with_policy(const char* type, std::string_view body) {
  return {200,
          type,
          std::string(body),
          {{"Cache-Control", "no-cache"},
           {"Referrer-Policy", "no-referrer"},
           {"X-Frame-Options", "DENY"},
           {"Content-Security-Policy",
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; "
            "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"}}};
}

}  // namespace

Response page_answer() { return with_policy("text/html; charset=utf-8", kPage); }

Response page_part_answer(const std::string& name) {
  if (name == "style.css") return with_policy("text/css; charset=utf-8", kStyle);
  if (name == "script.js") return with_policy("text/javascript; charset=utf-8", kScript);
  if (name == "icon.svg") return with_policy("image/svg+xml", kIcon);
  return error_answer(404, "there is nothing at /page/" + name);
}

}  // namespace fovea::serve
