-- The connection to Upstander. What goes wrong is nil, never an error; the API key is read from a file and never logged.

local async = require "util.async";
local http = require "net.http";
local json = require "util.json";
local lfs = require "lfs";
local now = require "util.time".monotonic;
local resolve_path = require "util.paths".resolve_relative_path;

-- The same complaint is logged once in this long (seconds).
local QUIET = 30;
-- Events that wait while Upstander is away; the oldest give way.
local MOST_WAITING = 10000;
local BATCH = 200;
local LONGEST_PAUSE = 30;

local link = {};
local url, headers;
local complained = {};

-- Log it, unless the same was logged just now: while Upstander is down every message would say so.
function link.complain(what)
	if complained[what] and now() - complained[what] < QUIET then return; end
	complained[what] = now();
	module:log("error", "%s", what);
end

local function read_key(path)
	local mode = lfs.attributes(path, "permissions");
	if mode and mode:sub(4) ~= "------" then
		return nil, "can be read by others: run `chmod 600` on it";
	end
	local file, err = io.open(path);
	if not file then
		return nil, ("cannot be read (%s): give it to Prosody's user, with mode 600"):format(err or "unknown reason");
	end
	local key = (file:read("*a") or ""):match("^%s*(ups_%x+_[%w_-]+)%s*$");
	file:close();
	return key, "holds no API key: make one with `upstander keys create --scope events:write`";
end

-- Read the settings. What is wrong is logged; then every question goes unanswered, and a child's chat stays shut.
function link.configure()
	url, headers = nil, nil;
	local wanted = module:get_option_string("upstander_url", "http://127.0.0.1:8787"):gsub("/+$", "");
	if not wanted:match("^https?://[^%s/]+") then
		module:log("error", "`upstander_url` is %q: give Upstander's address, such as http://127.0.0.1:8787", wanted);
		return;
	end
	local name = module:get_option_string("upstander_key_file");
	if not name then
		module:log("error", "`upstander_key_file` is missing: name the file with the API key, mode 600");
		return;
	end
	local path = resolve_path(prosody.paths.config or ".", name);
	local key, fault = read_key(path);
	if not key then
		module:log("error", "`upstander_key_file` %s %s", path, fault);
		return;
	end
	url = wanted;
	headers = { ["Authorization"] = "Bearer " .. key, ["Content-Type"] = "application/json" };
end

-- Post a value as JSON and wait, in a coroutine of util.async, for at most `within` seconds.
-- The answer's status and its JSON object; nil when none came.
function link.post(path, value, within)
	if not url then return nil; end
	local wait, done = async.waiter();
	local finished, status, answer, fault = false, nil, nil, nil;
	local request;
	local timer = module:add_timer(within, function ()
		if finished then return; end
		finished, fault = true, "no answer in time";
		if request then http.destroy_request(request); end
		done();
	end);
	request = http.request(url .. path, { method = "POST", headers = headers, body = json.encode(value) },
		function (body, code)
			if finished then return; end
			finished = true;
			timer:stop();
			if code == 0 then
				fault = tostring(body);
			else
				local fields = json.decode(body);
				status, answer = code, type(fields) == "table" and fields or {};
			end
			done();
		end);
	wait();
	if not status then
		link.complain(("no answer from %s (%s): is Upstander running?"):format(url, fault));
	end
	return status, answer;
end

-- What an answer says was refused, as one line for the log.
local function refused(what)
	return ("%s. %s"):format(tostring(what.reason), tostring(what.fix));
end

-- Complain about an answer that is none to a question.
function link.complain_about(status, answer)
	local fault = type(answer.error) == "table" and answer.error or {};
	link.complain(("Upstander answered %d: %s"):format(status, refused(fault)));
end

local waiting, first, last = {}, 1, 0;
local draining = false;

-- Send what waits, in order and in batches; while Upstander is away, try again and again.
local function drain(on_taken)
	local pause = 0.5;
	while first <= last do
		local batch, from = {}, first;
		for number = first, math.min(last, first + BATCH - 1) do table.insert(batch, waiting[number]); end
		local status, answer = link.post("/v1/events", batch, 10);
		if not status or status == 408 or status == 429 or status >= 500 then
			local wait, done = async.waiter();
			module:add_timer(pause, done);
			wait();
			pause = math.min(pause * 2, LONGEST_PAUSE);
		else
			pause = 0.5;
			if status ~= 200 and status ~= 422 then
				link.complain_about(status, answer);
			end
			for _, fault in ipairs(type(answer.errors) == "table" and answer.errors or {}) do
				link.complain("Upstander refused an event: " .. refused(fault));
			end
			for number = from, from + #batch - 1 do waiting[number] = nil; end
			-- The oldest may have given way to new ones meanwhile.
			first = math.max(first, from + #batch);
			if status == 200 then
				for _, event in ipairs(batch) do on_taken(event); end
			end
		end
	end
end

-- Tell Upstander about events, as soon as it takes them; `on_taken` hears of each that it took.
function link.teller(on_taken)
	local runner = async.runner(function ()
		drain(on_taken);
		draining = false;
	end, { error = function (_, err)
		draining = false;
		module:log("error", "events were not sent: %s", err);
	end });
	return function (event)
		last = last + 1;
		waiting[last] = event;
		if last - first >= MOST_WAITING then
			waiting[first] = nil;
			first = first + 1;
		end
		if not draining then
			draining = true;
			runner:run(true);
		end
	end
end

return link;
