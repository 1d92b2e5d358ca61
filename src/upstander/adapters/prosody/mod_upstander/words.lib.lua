-- The words of a message: all that a client may show of it. Knows stanzas, but no room and no network.

-- What a client starts on a new line.
local BREAKS = {};
for name in ("p br li div tr blockquote url desc h1 h2 h3 h4 h5 h6"):gmatch("%S+") do BREAKS[name] = true; end
-- Attributes whose value a client may show, or where it may lead.
local SHOWN = { "href", "alt", "title" };
-- Text that is made for machines.
local FOR_MACHINES = { ["urn:xmpp:hashes:1"] = true, ["urn:xmpp:hashes:2"] = true, ["urn:xmpp:bob"] = true };
-- What says that the words are encrypted: OMEMO (three versions), OpenPGP (two), and the hint that names a method.
local ENCRYPTED = {
	["eu.siacs.conversations.axolotl"] = true, ["urn:xmpp:omemo:1"] = true, ["urn:xmpp:omemo:2"] = true,
	["jabber:x:encrypted"] = true, ["urn:xmpp:openpgp:0"] = true, ["urn:xmpp:eme:0"] = true,
};
-- Nobody nests words deeper than this; whoever does is not read, and refused.
local DEEPEST = 50;

local words = { MAX_TEXT = 4000 };

local function gather(element, parts, depth)
	if depth > DEEPEST then return false; end
	for _, name in ipairs(SHOWN) do
		if element.attr[name] then
			table.insert(parts, "\n" .. element.attr[name] .. "\n");
		end
	end
	for _, node in ipairs(element) do
		if type(node) == "string" then
			table.insert(parts, node);
		elseif not FOR_MACHINES[node.attr.xmlns or ""] then
			if BREAKS[node.name] then table.insert(parts, "\n"); end
			if not gather(node, parts, depth + 1) then return false; end
			if BREAKS[node.name] then table.insert(parts, "\n"); end
		end
	end
	return true;
end

-- All words of a message, each part once, a line for each: bodies in every language, the formatted body (a sender may
-- write one thing in one and another in the other), a subject, where a link leads, a reaction. "" when it has none,
-- nil when it is nested too deeply to be read.
function words.of(stanza)
	local found, seen = {}, {};
	for _, element in ipairs(stanza.tags) do
		local parts = {};
		if element.name ~= "thread" and not FOR_MACHINES[element.attr.xmlns or ""] then
			if not gather(element, parts, 1) then return nil; end
		end
		local text = table.concat(parts):gsub("\n%s*\n", "\n"):match("^%s*(.-)%s*$");
		if text ~= "" and not seen[text] then
			seen[text] = true;
			table.insert(found, text);
		end
	end
	return table.concat(found, "\n");
end

-- Whether the message is encrypted, so that its words cannot be read here.
function words.encrypted(stanza)
	for _, element in ipairs(stanza.tags) do
		if ENCRYPTED[element.attr.xmlns or ""] then return true; end
	end
	return (stanza:get_child_text("body") or ""):sub(1, 4) == "?OTR";
end

return words;
