-- mod_upstander: asks Upstander about every message of a broadcast's chat before anybody sees it, and does in the room
-- what Upstander asks for. For a "muc" component of Prosody 0.12. Set-up: docs/adapters/xmpp.md.
--
-- A message waits inside the hook: Prosody handles the stanzas of a connection one after the other in a coroutine of
-- its own, which here yields until the answer is there. So what one person writes keeps its order, nobody else waits,
-- and what goes on is the very stanza that came.

local async = require "util.async";
local cache = require "util.cache";
local jid = require "util.jid";
local new_id = require "util.id".medium;
local st = require "util.stanza";
local time = require "util.time";
local utf8_length = require "util.encodings".utf8.length;

local muc = module:depends "muc";
local words = module:require "words";
local rooms = module:require "rooms";
local link = module:require "link";
local chat = module:require "chat";
local retract = module:require "retract";
local waiting = module:require "waiting";

local xmlns_room = "upstander:room:0";
local xmlns_sid = "urn:xmpp:sid:0";

-- What a sender is told. Calm, and without a hint at what to write instead.
local REFUSED = "This message was not sent. This chat looks after young people, so some messages are not passed on.";
local LATER = "This message could not be checked just now, so it was not sent. Please try again in a moment.";
local TOO_LONG = ("This message was not sent: in this chat a message may have %d characters."):format(words.MAX_TEXT);
local ENCRYPTED = "This message was not sent: this chat is looked after, so it cannot be encrypted.";
local SLOW = "This chat is in slow mode. Please wait a little before you write again.";
local NO_VOICE = "You cannot write in this chat just now.";
local PRIVATE = "This message was not sent: there are no private messages in this chat.";
local NICK = "This name belongs to those who look after this chat. Please choose another.";

-- How much longer than its deadline an answer may take on its way (seconds).
local GRACE = 0.1;
-- A broadcast that was quiet for this long is announced again: Upstander forgets it after two hours.
local QUIET = 3600;

local deadline_ms, allow_encrypted, allow_private, slow_mode_s;

local function configure()
	rooms.configure_trusted();
	rooms.configure();
	link.configure();
	deadline_ms = module:get_option_number("upstander_deadline_ms", 250);
	slow_mode_s = module:get_option_number("upstander_slow_mode_s", 30);
	allow_encrypted = module:get_option_boolean("upstander_allow_encrypted", false);
	allow_private = module:get_option_boolean("upstander_allow_private", false);
	chat.nick = module:get_option_string("upstander_nick", "Upstander");
end

configure();
module:hook_global("config-reloaded", configure);

-- Rooms of which Upstander knows that they are live: what it knows of each, and when that was last needed.
local announced = cache.new(10000);

local function description_in(fields)
	local on_deadline, deadline = fields.on_deadline or "", fields.deadline_ms or "";
	return table.concat({ fields.host, fields.host_age_band, fields.age_source, on_deadline, deadline }, "\0");
end

local function note_announced(room_jid, fields)
	announced:set(room_jid, { at = time.monotonic(), description = description_in(fields) });
end

-- Whether Upstander has to be told what this room is, before anything else about it.
local function is_news(room, about)
	local known = announced:get(room.jid);
	if not known or known.description ~= description_in(about) or time.monotonic() - known.at >= QUIET then return true; end
	known.at = time.monotonic();
	return false;
end

local function now_ms()
	return math.floor(time.now() * 1000);
end

local function event_of(kind, room, fields)
	fields.type, fields.broadcast, fields.at = kind, room.jid, now_ms();
	fields.id = fields.id or ("%d-%s"):format(fields.at, new_id());
	return fields;
end

-- At most so many bytes, without half a letter at the end.
local function short(text, most)
	if not text or #text <= most then return text or ""; end
	return (text:sub(1, most):gsub("[\192-\255]?[\128-\191]*$", ""));
end

local function started(room, about)
	return event_of("broadcast_started", room, {
		host = about.host, host_age_band = about.host_age_band, age_source = about.age_source,
		on_deadline = about.on_deadline, deadline_ms = about.deadline_ms,
		title = short(room:get_name(), 1000), language = short(room:get_language(), 35),
	});
end

local tell = link.teller(function (event)
	if event.type == "broadcast_started" then note_announced(event.broadcast, event); end
end);

-- Tell Upstander about a room, and about something that happened in it.
local function tell_of(room, about, event)
	if is_news(room, about) then tell(started(room, about)); end
	if event then tell(event); end
end

local function refuse(origin, stanza, type, condition, text)
	if stanza.attr.type ~= "error" then
		origin.send(st.error_reply(stanza, type, condition, text));
	end
	return true;
end

-- Before a message is shown ------------------------------------------------------------------------------------------

-- Upstander's verdict on a comment, or what the room falls back to; and whether it was decided.
local function verdict_on(room, about, comment)
	local within = (about.deadline_ms or deadline_ms) / 1000;
	local ends = time.monotonic() + within;
	if is_news(room, about) then
		-- A broadcast that could not be announced is asked about all the same: its host then may be a child.
		if link.post("/v1/events", started(room, about), within) == 200 then
			note_announced(room.jid, about);
		end
	end
	local left = math.max(ends - time.monotonic(), 0.02);
	local path = ("/v1/hold?deadline_ms=%d"):format(math.max(1, math.floor(left * 1000)));
	local status, answer = link.post(path, comment, left + GRACE);
	if not status then return about.fallback, false; end
	local verdict = answer.verdict;
	if verdict == "allow" or verdict == "hold" or verdict == "block" then
		-- Upstander falls back on what it knows of a broadcast, which is nothing when it could not be announced.
		if answer.decided == true then return verdict, true; end
		return about.fallback, false;
	end
	if type(answer.error) == "table" and answer.error.field == "broadcast" then
		announced:set(room.jid, nil); -- it was ended, and people still write there: it is live again
	end
	link.complain_about(status, answer);
	return about.fallback, false;
end

local function may_write(occupant)
	return occupant and (occupant.role == "participant" or occupant.role == "moderator");
end

-- After the room's own check of roles (50), before it takes a new subject (20) or passes anything on.
module:hook("muc-occupant-groupchat", function (event)
	local room, origin, stanza, from = event.room, event.origin, event.stanza, event.from;
	local about = rooms.about(room);
	if not about then return; end
	-- Nobody but this module gives ids in this host's name.
	stanza:maptags(function (tag)
		if tag.name == "stanza-id" and tag.attr.xmlns == xmlns_sid and tag.attr.by == module.host then return nil; end
		return tag;
	end);
	if rooms.is_trusted(from) then return; end
	if not allow_encrypted and words.encrypted(stanza) then
		return refuse(origin, stanza, "modify", "not-acceptable", ENCRYPTED);
	end
	local text = words.of(stanza);
	if text == "" then return; end
	local length = text and utf8_length(text);
	if not length or length > words.MAX_TEXT then
		return refuse(origin, stanza, "modify", "policy-violation", TOO_LONG);
	end
	if not async.ready() then return waiting.carry(event); end

	local address = jid.bare(from);
	local comment = event_of("comment", room, { actor = address, text = text });
	local verdict, decided = verdict_on(room, about, comment);
	waiting.read_on(origin);
	if verdict ~= "allow" then
		if decided then return refuse(origin, stanza, "modify", "policy-violation", REFUSED); end
		return refuse(origin, stanza, "wait", "resource-constraint", LATER);
	end
	-- While it waited, its sender may have left, lost their voice or changed their name.
	event.occupant = room:get_occupant_by_real_jid(from);
	if not may_write(event.occupant) then
		return refuse(origin, stanza, "auth", "forbidden", NO_VOICE);
	end
	if not chat.may_speak(room, about, address) then
		return refuse(origin, stanza, "wait", "policy-violation", SLOW);
	end
	stanza:add_direct_child(st.stanza("stanza-id", { xmlns = xmlns_sid, by = module.host, id = comment.id }));
end, 30);

-- What was asked about is archived, whatever its sender wishes: only what is archived can be retracted.
module:hook("muc-message-is-historic", function (event)
	if retract.id_in(event.stanza) then return true; end
end, 10);

-- Private messages are never read. In a young person's chat there are none; that someone tried is told to Upstander.
module:hook("muc-private-message", function (event)
	local room, origin, stanza = event.room, event.origin, event.stanza;
	local about = rooms.about(room);
	local sender = room:get_occupant_by_nick(stanza.attr.from);
	local receiver = room:get_occupant_by_nick(stanza.attr.to);
	if not about or not sender or not receiver then return; end
	if rooms.is_trusted(sender.bare_jid) or rooms.is_trusted(receiver.bare_jid) then return; end
	if receiver.bare_jid == about.host and stanza:get_child("body") then
		tell_of(room, about, event_of("invite", room, { actor = sender.bare_jid, channel = "direct_message" }));
	end
	if allow_private or not rooms.protected(about) then return; end
	if stanza:get_child("body") and stanza.attr.type ~= "error" then
		local reply = st.error_reply(stanza, "cancel", "policy-violation", PRIVATE);
		reply.attr.to = origin.full_jid or sender.jid;
		origin.send(reply);
	end
	return false;
end);

-- A presence may carry words too. They cannot wait for an answer, so in a young person's chat they stay behind.
module:hook("muc-build-occupant-presence", function (event)
	local about = rooms.about(event.room);
	if about and rooms.protected(about) then
		event.stanza:maptags(function (tag)
			if tag.name == "status" and not tag.attr.xmlns then return nil; end
			return tag;
		end);
	end
end);

-- So do invitations and refusals of them, which the room carries to anybody.
local function without_words(event)
	local about = rooms.about(event.room);
	if not about or not rooms.protected(about) then return; end
	event.stanza:maptags(function (tag)
		if tag.attr.xmlns ~= "http://jabber.org/protocol/muc#user" then return nil; end
		return tag:maptags(function (inner)
			return inner:maptags(function (each) return each.name ~= "reason" and each or nil; end);
		end);
	end);
end

module:hook("muc-invite", without_words, 100);
module:hook("muc-decline", without_words, 100);

-- Who comes and goes -------------------------------------------------------------------------------------------------

local function check_nick(event)
	if not rooms.about(event.room) then return; end
	local occupant = event.dest_occupant or event.occupant;
	local nick = jid.resource(occupant.nick) or "";
	if nick:lower() == chat.nick:lower() and not rooms.is_trusted(event.stanza.attr.from) then
		return refuse(event.origin, event.stanza, "cancel", "conflict", NICK);
	end
end

module:hook("muc-occupant-pre-change", check_nick);
module:hook("muc-occupant-pre-join", check_nick);
module:hook("muc-occupant-pre-join", function (event)
	local about = rooms.about(event.room);
	if about and event.is_first_session then chat.greet(event.room, about, event.occupant); end
end, -10);

local function is_there_otherwise(room, occupant)
	for nick, other in room:each_occupant() do
		if other.bare_jid == occupant.bare_jid and nick ~= occupant.nick and other.role then return true; end
	end
	return false;
end

local function tell_of_viewer(kind)
	return function (event)
		local room, occupant = event.room, event.occupant;
		local about = rooms.about(room);
		if not about or not occupant or rooms.is_trusted(occupant.bare_jid) then return; end
		if occupant.bare_jid == about.host or is_there_otherwise(room, occupant) then return; end
		tell_of(room, about, event_of(kind, room, { actor = occupant.bare_jid }));
	end
end

module:hook("muc-occupant-joined", tell_of_viewer("joined"));
module:hook("muc-occupant-left", tell_of_viewer("left"));

module:hook("muc-room-created", function (event)
	local about = rooms.about(event.room);
	if about then tell_of(event.room, about); end
end);

module:hook("muc-room-destroyed", function (event)
	if rooms.about(event.room) then
		announced:set(event.room.jid, nil);
		tell(event_of("broadcast_ended", event.room, { reason = "the room was closed" }));
	end
end);

-- What a room is ---------------------------------------------------------------------------------------------------

-- Clients may show that the chat is slow.
module:hook("muc-disco#info", function (event)
	if chat.is_slow(event.room) then event.reply:tag("feature", { var = xmlns_room .. "#slow-mode" }):up(); end
end);

module:hook("muc-config-form", function (event)
	if rooms.is_trusted(event.actor) then rooms.add_fields(event.room, event.form); end
end);

for _, name in ipairs(rooms.FIELDS) do
	module:hook("muc-config-submitted/upstander#" .. name, function (event)
		local room = event.room;
		if not rooms.is_trusted(event.actor) or not rooms.keep(room, name, event.value) then return; end
		event.status_codes["104"] = true;
		-- Once, when all fields are in.
		module:add_timer(0, function ()
			local about = rooms.about(room);
			if about then tell_of(room, about); end
		end);
	end);
end

-- What Upstander asks for --------------------------------------------------------------------------------------------

local DOES = {};
for what in ([[ mute_viewer unmute_viewer remove_viewer readmit_viewer warn_viewer nudge_host call_moderator
	slow_mode slow_mode_off disable_comments enable_comments pause resume ]]):gmatch("%S+") do
	DOES[what] = true;
end

-- <iq type="set" to="room"><do xmlns="upstander:room:0" what="mute_viewer" jid="…" id="…">words<card/></do></iq>
module:hook("iq-set/bare/" .. xmlns_room .. ":do", function (event)
	local origin, stanza = event.origin, event.stanza;
	if not rooms.is_trusted(stanza.attr.from) then
		return refuse(origin, stanza, "auth", "forbidden", "this account is not in `upstander_trusted`");
	end
	local room = muc.get_room_from_jid(stanza.attr.to);
	local about = room and rooms.about(room);
	if not about then
		return refuse(origin, stanza, "cancel", "item-not-found", "there is no such room, or it is no broadcast");
	end
	local asked = stanza:get_child("do", xmlns_room);
	local what = asked.attr.what;
	if not DOES[what] then
		return refuse(origin, stanza, "cancel", "feature-not-implemented", "there is nothing here for this");
	end
	local address = asked.attr.jid and jid.prep(asked.attr.jid);
	local wanted = { jid = address and jid.bare(address), text = asked:get_text(), id = asked.attr.id or new_id(),
		card = asked:get_child("card"), seconds = slow_mode_s, by = jid.bare(stanza.attr.from) };
	if (what:match("_viewer$") or what == "call_moderator") and not wanted.jid then
		return refuse(origin, stanza, "modify", "jid-malformed", "this takes somebody's address");
	end
	local note, type, condition, text = chat[what](room, about, wanted);
	if not note then return refuse(origin, stanza, type, condition, text); end
	origin.send(st.reply(stanza):tag("done", { xmlns = xmlns_room, note = note }));
	return true;
end);

retract.serve(rooms.is_trusted, function () return chat.nick; end);
module:add_feature(xmlns_room);
module:log("info", "the chat of broadcasts on %s is looked after", module.host);
