-- What can be done in a room: mute, remove, slow mode, closing it, and a word to one person. Doing it twice has the effect of once.
-- Each function returns a note of what it did, or nil and the type, condition and text of a stanza error.

local cache = require "util.cache";
local now = require "util.time".monotonic;
local st = require "util.stanza";

local xmlns_muc_user = "http://jabber.org/protocol/muc#user";

local chat = {};
-- Actions whose words were passed on already, and when someone wrote last in a chat with slow mode.
local told, spoke = cache.new(10000), cache.new(10000);

-- How the chat is run just now: `muted` addresses, `removed` ones with what they were before, `slow_mode_s`, and
-- `closed` with the reasons and how it was before. Kept in the room, so that it outlasts a restart when the room does.
local function state_of(room)
	local state = room._data.upstander_chat;
	if not state then
		state = { muted = {}, removed = {} };
		room._data.upstander_chat = state;
	end
	return state;
end

local function occupants_of(room, address)
	local found = {};
	for _, occupant in room:each_occupant() do
		if not address or occupant.bare_jid == address then table.insert(found, occupant); end
	end
	return found;
end

local function set_role(room, occupant, role, reason)
	if occupant.role and occupant.role ~= role then
		room:set_role(true, occupant.nick, role, reason);
	end
end

-- Whether somebody's voice is not for the machine to take: the host's, and those who look after the room.
local function is_exempt(room, about, address)
	local affiliation = room:get_affiliation(address);
	return address == about.host or affiliation == "owner" or affiliation == "admin";
end

local function leave_alone()
	return nil, "cancel", "not-allowed", "this is the host, or one who looks after the room";
end

function chat.mute_viewer(room, about, wanted)
	local address = wanted.jid;
	if is_exempt(room, about, address) then return leave_alone(); end
	state_of(room).muted[address] = true;
	room:save();
	local present = occupants_of(room, address);
	for _, occupant in ipairs(present) do set_role(room, occupant, "visitor", wanted.text); end
	return #present > 0 and "made a visitor" or "not in the room; will be a visitor when they come back";
end

function chat.unmute_viewer(room, _, wanted)
	local state = state_of(room);
	state.muted[wanted.jid] = nil;
	room:save();
	if state.closed then return "no longer muted; the chat is closed"; end
	for _, occupant in ipairs(occupants_of(room, wanted.jid)) do
		if occupant.role == "visitor" then set_role(room, occupant, "participant"); end
	end
	return "may write again";
end

function chat.remove_viewer(room, about, wanted)
	local address, affiliation = wanted.jid, room:get_affiliation(wanted.jid) or "none";
	if is_exempt(room, about, address) then return leave_alone(); end
	if affiliation == "outcast" then return "was removed already"; end
	state_of(room).removed[address] = affiliation;
	local ok, type, condition = room:set_affiliation(true, address, "outcast", wanted.text);
	if not ok then return nil, type, condition, "the room did not take it"; end
	room:save();
	return "removed from the room, and may not come back";
end

function chat.readmit_viewer(room, _, wanted)
	local removed = state_of(room).removed;
	if room:get_affiliation(wanted.jid) == "outcast" then
		room:set_affiliation(true, wanted.jid, removed[wanted.jid] or "none");
	end
	removed[wanted.jid] = nil;
	room:save();
	return "may come back";
end

function chat.slow_mode(room, _, wanted)
	state_of(room).slow_mode_s = wanted.seconds;
	room:save();
	return ("one message in %d s from each viewer (kept by mod_upstander)"):format(wanted.seconds);
end

function chat.slow_mode_off(room)
	state_of(room).slow_mode_s = nil;
	room:save();
	return "slow mode is off";
end

function chat.is_slow(room)
	return (room._data.upstander_chat or {}).slow_mode_s ~= nil;
end

-- Tell clients that the room's configuration changed (XEP-0045, status 104).
local function announce_change(room)
	room:broadcast_message(st.message({ type = "groupchat", from = room.jid })
		:tag("x", { xmlns = xmlns_muc_user }):tag("status", { code = "104" }):up():up());
end

-- Close the chat for a reason: moderated, and whoever had a voice but the host is a visitor.
local function close(room, about, wanted, why)
	local state = state_of(room);
	if state.closed then
		state.closed.why[why] = true;
		room:save();
		return "the chat was closed already";
	end
	state.closed = { why = { [why] = true }, moderated = room:get_moderated() or false, lost_voice = {} };
	room:set_moderated(true);
	for _, occupant in ipairs(occupants_of(room)) do
		if occupant.role == "participant" and not is_exempt(room, about, occupant.bare_jid) then
			state.closed.lost_voice[occupant.bare_jid] = true;
			set_role(room, occupant, "visitor", wanted.text);
		end
	end
	room:save();
	announce_change(room);
	return "the room is moderated and viewers are visitors";
end

-- Open it again, unless there is another reason left.
local function reopen(room, why)
	local state = state_of(room);
	local closed = state.closed;
	if not closed then return "the chat was not closed"; end
	closed.why[why] = nil;
	if next(closed.why) then
		room:save();
		return "the chat is still closed for another reason";
	end
	state.closed = nil;
	room:set_moderated(closed.moderated);
	for _, occupant in ipairs(occupants_of(room)) do
		local had_voice = not closed.moderated or closed.lost_voice[occupant.bare_jid];
		if occupant.role == "visitor" and had_voice and not state.muted[occupant.bare_jid] then
			set_role(room, occupant, "participant");
		end
	end
	room:save();
	announce_change(room);
	return "viewers may write again";
end

function chat.pause(room, about, wanted) return close(room, about, wanted, "pause"); end
function chat.resume(room) return reopen(room, "pause"); end
function chat.disable_comments(room, about, wanted) return close(room, about, wanted, "comments"); end
function chat.enable_comments(room) return reopen(room, "comments"); end

-- A private message in the room's own name, to all devices of one person who is in it.
local function tell(room, address, wanted)
	if told:get(wanted.id) then return "was told already"; end
	local present = occupants_of(room, address);
	if #present == 0 then return nil, "cancel", "item-not-found", "they are not in the room"; end
	for _, occupant in ipairs(present) do
		local message = st.message({ type = "chat", from = room.jid .. "/" .. chat.nick, id = wanted.id }, wanted.text)
			:tag("x", { xmlns = xmlns_muc_user }):up();
		if wanted.card then message:add_child(wanted.card); end
		room:route_to_occupant(occupant, message);
	end
	told:set(wanted.id, true);
	return "told in a private message";
end

function chat.nudge_host(room, about, wanted)
	return tell(room, about.host, wanted);
end

function chat.warn_viewer(room, _, wanted)
	return tell(room, wanted.jid, wanted);
end

-- Somebody who looks after chats is invited into the room (XEP-0045, mediated), with the reason.
function chat.call_moderator(room, _, wanted)
	if told:get(wanted.id) then return "was called already"; end
	local invitation = st.message({ from = room.jid, to = wanted.jid, id = wanted.id }, wanted.text)
		:tag("x", { xmlns = xmlns_muc_user })
			:tag("invite", { from = wanted.by }):text_tag("reason", wanted.text):up()
			:up();
	if room:get_password() then
		invitation:get_child("x", xmlns_muc_user):text_tag("password", room:get_password());
	end
	module:send(invitation);
	told:set(wanted.id, true);
	return "a moderator was invited into the room";
end

-- Those who come in: the host has a voice; whoever is muted has none, and in a closed chat nobody else has.
function chat.greet(room, about, occupant)
	local state = room._data.upstander_chat or {};
	if occupant.role ~= "participant" and occupant.role ~= "visitor" then return; end
	if occupant.bare_jid == about.host then
		occupant.role = "participant";
	elseif state.closed or state.muted and state.muted[occupant.bare_jid] then
		occupant.role = "visitor";
	end
end

-- Slow mode: whether this viewer may write now; the host is free to answer. What is let through counts.
function chat.may_speak(room, about, address)
	local seconds = (room._data.upstander_chat or {}).slow_mode_s;
	if not seconds or is_exempt(room, about, address) then return true; end
	local key = room.jid .. "\0" .. address;
	local before = spoke:get(key);
	if before and now() - before < seconds then return false; end
	spoke:set(key, now());
	return true;
end

return chat;
