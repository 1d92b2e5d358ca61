-- How a message waits inside Prosody: where it can, and what Prosody 0.12 needs to go on afterwards.

local async = require "util.async";
local cache = require "util.cache";
local st = require "util.stanza";

local waiting = {};

-- Messages that come outside a coroutine (from a component) are taken out, and put back in from one: in order.
local carriers = cache.new(1000);

function waiting.carry(event)
	local carrier = carriers:get(event.from);
	if not carrier then
		carrier = async.runner(function (carried)
			carried.room:handle_groupchat_to_room(carried.origin, carried.stanza);
		end, { error = function (_, err)
			module:log("error", "a message was not passed on: %s", err);
		end });
		carriers:set(event.from, carrier);
	end
	carrier:run({ room = event.room, origin = event.origin, stanza = st.clone(event.stanza) });
	return true;
end

-- Sessions whose buffer will be looked into.
local looking = setmetatable({}, { __mode = "k" });

-- Prosody reads a socket through a buffer of its own. While a stanza waits it does not read; afterwards it waits for the
-- socket to have something new, and forgets what is in the buffer: the end of a flood would lie there until its sender
-- writes again. So look into it once nothing of this connection waits any more.
function waiting.read_on(session)
	local conn, thread = session.conn, session.thread;
	if not conn or not thread or not conn.pausefor or looking[session] then return; end
	looking[session] = true;
	module:add_timer(0.001, function ()
		if session.conn == conn and thread.state ~= "ready" then return 0.01; end
		looking[session] = nil;
		local socket = session.conn == conn and not conn._pausefor and conn.conn;
		if socket and socket.dirty and socket:dirty() then
			conn:pausefor(0); -- which ends with a look into the buffer
		end
	end);
end

return waiting;
