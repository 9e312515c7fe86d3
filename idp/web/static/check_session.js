(function () {
  function rotate(word, by) { return (word >>> by) | (word << (32 - by)); }

  /* The first 32 bits of the fractional part of a root of a prime. */
  function part(root) { return ((root - Math.floor(root)) * 4294967296) | 0; }

  /* UTF-8 as numbers, without what old engines lack. */
  function bytes(text) {
    var binary = unescape(encodeURIComponent(text)), list = [], i;
    for (i = 0; i < binary.length; i++) list.push(binary.charCodeAt(i));
    return list;
  }

  /* SHA-256 (FIPS 180-4 §6.2), hexadecimal. */
  function digest(text) {
    var state = [], factors = [], candidate = 2, list = bytes(text), length = list.length;
    var words = [], at, i, j, prime, s, one, two, hex = '';
    while (factors.length < 64) {
      prime = true;
      for (i = 2; i * i <= candidate; i++) if (candidate % i === 0) { prime = false; break; }
      if (prime) {
        if (state.length < 8) state.push(part(Math.pow(candidate, 1 / 2)));
        factors.push(part(Math.pow(candidate, 1 / 3)));
      }
      candidate++;
    }
    list.push(128);
    while (list.length % 64 !== 56) list.push(0);
    for (i = 7; i >= 0; i--) list.push(i > 3 ? 0 : ((length * 8) >>> (i * 8)) & 255);
    for (at = 0; at < list.length; at += 64) {
      for (i = 0; i < 64; i++) {
        if (i < 16) {
          j = at + i * 4;
          words[i] = (list[j] << 24) | (list[j + 1] << 16) | (list[j + 2] << 8) | list[j + 3];
        } else {
          one = rotate(words[i - 15], 7) ^ rotate(words[i - 15], 18) ^ (words[i - 15] >>> 3);
          two = rotate(words[i - 2], 17) ^ rotate(words[i - 2], 19) ^ (words[i - 2] >>> 10);
          words[i] = (words[i - 16] + one + words[i - 7] + two) | 0;
        }
      }
      s = state.slice(0);
      for (i = 0; i < 64; i++) {
        one = (s[7] + (rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25)) +
          ((s[4] & s[5]) ^ (~s[4] & s[6])) + factors[i] + words[i]) | 0;
        two = ((rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22)) +
          ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]))) | 0;
        s = [(one + two) | 0, s[0], s[1], s[2], (s[3] + one) | 0, s[4], s[5], s[6]];
      }
      for (i = 0; i < 8; i++) state[i] = (state[i] + s[i]) | 0;
    }
    for (i = 0; i < 8; i++) hex += ('0000000' + (state[i] >>> 0).toString(16)).slice(-8);
    return hex;
  }

  /* The browser's state; empty while nobody is signed in. */
  function browser() {
    var name = document.documentElement.getAttribute('data-cookie') + '=';
    var all = document.cookie.split(';'), i, one;
    for (i = 0; i < all.length; i++) {
      one = all[i].replace(/^\s+/, '');
      if (one.indexOf(name) === 0) return one.substring(name.length);
    }
    return '';
  }

  /* Session Management §3.2: "client_id session_state" in, one word out. */
  function judge(text, origin) {
    var space, dot, client, known, salt;
    if (typeof text !== 'string') return 'error';
    space = text.lastIndexOf(' ');
    client = text.substring(0, space);
    known = text.substring(space + 1);
    dot = known.lastIndexOf('.');
    if (space < 1 || dot < 1) return 'error';
    salt = known.substring(dot + 1);
    if (digest(client + ' ' + origin + ' ' + browser() + ' ' + salt) + '.' + salt === known) return 'unchanged';
    return 'changed';
  }

  function receive(event) {
    if (!event.source || !event.origin || event.origin === 'null') return;
    event.source.postMessage(judge(event.data, event.origin), event.origin);
  }

  if (window.addEventListener) window.addEventListener('message', receive, false);
  else window.attachEvent('onmessage', receive);
})();
