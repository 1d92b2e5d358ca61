-- What a room is: a broadcast or not, whose, and how old its host is. From the settings and from the room's own form.

local jid = require "util.jid";

-- The age bands, where an age comes from and what a late answer means, as the wire has them.
local BANDS = { "under_10", "10_12", "13_15", "16_17", "adult", "unknown" };
local SOURCES = { "verified", "declared", "estimated", "none" };
local FALLBACKS = { "allow", "hold", "block" };
local KNOWN = { host_age_band = BANDS, age_source = SOURCES, on_deadline = FALLBACKS };
local FIELDS = { "host", "host_age_band", "age_source", "on_deadline", "deadline_ms" };
local LABELS = {
	host = "Host (address)", host_age_band = "Host's age band", age_source = "Where the age comes from",
	on_deadline = "What becomes of a message that could not be checked", deadline_ms = "How long a message waits (ms)",
};

local rooms = {};
local listed, default;

local function one_of(value, allowed)
	for _, known in ipairs(allowed) do
		if value == known then return true; end
	end
	return false;
end

-- The value of a field if it can be used; nil and what is wrong when not. What is wrong never weakens protection:
-- a host of whom nothing is known is one who may be a child.
local function checked(name, value)
	if value == nil or value == "" then return nil; end
	if KNOWN[name] then
		if one_of(value, KNOWN[name]) then return value; end
		return nil, "use one of " .. table.concat(KNOWN[name], ", ");
	elseif name == "deadline_ms" then
		local number = tonumber(value);
		if number and number >= 1 and number <= 10000 and number % 1 == 0 then return math.floor(number); end
		return nil, "give whole milliseconds from 1 to 10000";
	elseif name == "host" then
		local address = jid.prep(value);
		if address and jid.node(address) then return jid.bare(address); end
		return nil, "give an address such as ada@example.org";
	end
	return nil, "known are " .. table.concat(FIELDS, ", ");
end

local function checked_all(where, fields)
	local found = {};
	for name, value in pairs(fields) do
		local fault;
		found[name], fault = checked(name, value);
		if fault then module:log("error", "%s: `%s` is %q: %s", where, name, tostring(value), fault); end
	end
	return found;
end

-- Read the settings. `upstander_rooms` describes rooms by the name before the @ (false: not a broadcast),
-- `upstander_default` all others (false: only what is described is a broadcast).
function rooms.configure()
	listed = {};
	for name, fields in pairs(module:get_option("upstander_rooms") or {}) do
		local where = ("upstander_rooms[%q]"):format(name);
		listed[name] = type(fields) == "table" and checked_all(where, fields) or false;
	end
	local fields = module:get_option("upstander_default");
	default = fields ~= false and checked_all("upstander_default", type(fields) == "table" and fields or {});
end

-- The accounts whose word counts: they act in every room and describe rooms, and they are not asked about.
function rooms.is_trusted(address)
	return rooms.trusted:contains(jid.bare(address));
end

function rooms.configure_trusted()
	rooms.trusted = module:get_option_set("upstander_trusted", {}) / jid.prep;
	if rooms.trusted:empty() then
		module:log("warn", "`upstander_trusted` is empty: messages are held, but no intervention can reach this chat");
	end
end

-- Who owns the room, when nobody says whose broadcast it is: as a rule the person who made it.
local function owner_of(room)
	for address, affiliation in room:each_affiliation("owner") do
		if affiliation == "owner" and not rooms.is_trusted(address) then return address; end
	end
end

-- The broadcast that a room is: `host`, `host_age_band`, `age_source`, `fallback` (what becomes of a message for which
-- there is no answer) and perhaps `on_deadline` and `deadline_ms`. nil when the room is none.
function rooms.about(room)
	local name = jid.node(room.jid);
	local fixed, own = listed[name or ""], room._data.upstander or {};
	if fixed == false or not (fixed or default or next(own)) then return nil; end
	local about = {};
	for _, field in ipairs(FIELDS) do
		about[field] = own[field] or (fixed or {})[field] or (default or {})[field];
	end
	about.host = about.host or owner_of(room) or room.jid;
	about.host_age_band = about.host_age_band or "unknown";
	about.age_source = about.age_source or (about.host_age_band == "unknown" and "none" or "declared");
	-- Only an adult's chat goes on unwatched.
	about.fallback = about.on_deadline or (about.host_age_band == "adult" and "allow" or "hold");
	return about;
end

-- Whether the people in this room are protected beyond what is read: all but an adult's are.
function rooms.protected(about)
	return about.host_age_band ~= "adult";
end

-- Add the fields to a room's configuration form. Only for trusted accounts: hosts do not change their own age.
function rooms.add_fields(room, form)
	local own = room._data.upstander or {};
	for _, name in ipairs(FIELDS) do
		local field = { name = "upstander#" .. name, type = "text-single", label = LABELS[name] };
		local value = own[name];
		field.value = value and tostring(value) or nil;
		if KNOWN[name] then
			field.type, field.options = "list-single", {};
			for _, known in ipairs(KNOWN[name]) do table.insert(field.options, { value = known, label = known }); end
		end
		table.insert(form, field);
	end
end

-- Keep a submitted field. True when the room is described otherwise than before.
function rooms.keep(room, name, value)
	local own = room._data.upstander or {};
	local kept, fault = checked(name, value);
	if fault then
		module:log("error", "%s: `%s` is %q: %s", room.jid, name, tostring(value), fault);
	end
	if own[name] == kept then return false; end
	own[name] = kept;
	room._data.upstander = next(own) and own or nil;
	return true;
end

rooms.FIELDS = FIELDS;

return rooms;
