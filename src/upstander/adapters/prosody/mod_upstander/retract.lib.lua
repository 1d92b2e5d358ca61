-- Retraction by Upstander's own ids. A comment is asked about before the room's archive gives it an id, so the message
-- carries Upstander's id as a second stanza-id (XEP-0359), and here the one is translated into the other.
-- The retraction itself is mod_muc_moderation's (XEP-0425).

local cache = require "util.cache";
local jid = require "util.jid";
local st = require "util.stanza";

local muc = module:depends "muc";
local archive = module:open_store("muc_log", "archive");

local xmlns_fasten = "urn:xmpp:fasten:0";
local xmlns_moderate = "urn:xmpp:message-moderate:0";
local xmlns_retract = "urn:xmpp:message-retract:0";
local xmlns_sid = "urn:xmpp:sid:0";

-- An id begins with the time at which its message came (ms); the message is archived within this long after (seconds).
local LONGEST_HELD = 30;

local retract = {};
-- The archive's id of a message by Upstander's, and the archive's ids of what was retracted.
local known, retracted = cache.new(10000), cache.new(10000);

-- The id that Upstander knows a message by.
function retract.id_in(stanza)
	for _, tag in ipairs(stanza.tags) do
		if tag.name == "stanza-id" and tag.attr.xmlns == xmlns_sid and tag.attr.by == module.host then
			return tag.attr.id;
		end
	end
end

local function archived_id(room, id)
	local key = room.jid .. "\0" .. id;
	local found = known:get(key);
	local came = tonumber(id:match("^(%d+)%-"));
	if found or not came or not archive or not archive.find then return found; end
	local around = { start = came / 1000 - 1, ["end"] = came / 1000 + LONGEST_HELD };
	for archive_id, stanza in archive:find(jid.node(room.jid), around) or function () end do
		if retract.id_in(stanza) == id then
			known:set(key, archive_id);
			return archive_id;
		end
	end
end

-- Who retracts must be known to the room as one who may, with a name to show.
local function introduce(room, address, nick)
	local affiliation = room:get_affiliation(address);
	if affiliation ~= "owner" and affiliation ~= "admin" then
		room:set_affiliation(true, address, "admin");
	end
	local data = room:get_affiliation_data(address) or {};
	if not data.reserved_nickname then
		room:set_affiliation_data(address, "reserved_nickname", nick);
	end
end

function retract.serve(is_trusted, nick_of)
	-- Before mod_muc_moderation, which goes on from here.
	module:hook("iq-set/bare/" .. xmlns_fasten .. ":apply-to", function (event)
		local origin, stanza = event.origin, event.stanza;
		local room = muc.get_room_from_jid(stanza.attr.to);
		local request = stanza:get_child("apply-to", xmlns_fasten);
		local wanted = request and request.attr.id;
		if not room or not wanted or not is_trusted(stanza.attr.from) then return; end
		local found = archived_id(room, wanted);
		if found and retracted:get(room.jid .. "\0" .. found) then
			origin.send(st.reply(stanza)); -- as asked; nobody needs to be told again
			return true;
		end
		request.attr.id = found or wanted;
		introduce(room, jid.bare(stanza.attr.from), nick_of());
	end, 10);

	module:hook("muc-broadcast-message", function (event)
		local room, stanza = event.room, event.stanza;
		local done = stanza:get_child("apply-to", xmlns_fasten);
		local moderated = done and stanza.attr.from == room.jid and done:get_child("moderated", xmlns_moderate);
		if moderated and done.attr.id and moderated:get_child("retract", xmlns_retract) then
			retracted:set(room.jid .. "\0" .. done.attr.id, true);
		end
	end);
end

return retract;
