"""What happens to a cart in Valkey, each an atomic script in Lua.

KEYS of all: the cart, its id, the set of changed carts, and whose cart has what was in it (`keys_of`). A
cart without an id is one that Valkey does not know (new, or lost): scripts answer nil then, and the caller
rebuilds it first.
"""

from mercat.ids import UserId

CODES = "codes"
"""The field of a cart that has its codes, a list as JSON; all others are lines."""
CHANGED_CARTS = "carts:changed"
"""A sorted set of users, by Valkey's time of the last change in their cart, in microseconds."""


def keys_of(user: UserId | str) -> list[str]:
    """List the keys of a person's cart: its lines, its id, the set of changed carts, and whose cart has what
    was in it, where it was a guest's."""
    return [f"cart:{user}", f"cart_id:{user}", CHANGED_CARTS, f"cart_into:{user}"]


_CHANGED = """
local function changed(cart, id, dirty, user, ttl)
  local t = redis.call('TIME')
  redis.call('ZADD', dirty, t[1] * 1000000 + t[2], user)
  redis.call('EXPIRE', cart, ttl)
  redis.call('EXPIRE', id, ttl)
end
"""
"""Notes that a cart has changed."""

_READ = """
local function read(old)
  if not old then return nil end
  local ok, line = pcall(cjson.decode, old)
  if not ok or type(line) ~= 'table' then return nil end
  local qty = tonumber(line.qty)
  if not qty or qty ~= math.floor(qty) or qty < 1 then return nil end
  line.qty = qty
  return line
end
"""
"""Reads a line as it is kept; nil for what cannot be read, which then is as good as not there."""

ADD = (
    _CHANGED
    + _READ
    + """
if redis.call('EXISTS', KEYS[2]) == 0 then return nil end
local old = redis.call('HGET', KEYS[1], ARGV[3])
local qty = tonumber(ARGV[4])
local line = {qty = qty, price = tonumber(ARGV[5]), added = ARGV[6]}
local known = read(old)
if known then
  line = known
  line.qty = line.qty + qty
elseif not old
  and redis.call('HLEN', KEYS[1]) - redis.call('HEXISTS', KEYS[1], 'codes') >= tonumber(ARGV[8]) then
  return 0
end
if line.qty > tonumber(ARGV[7]) then line.qty = tonumber(ARGV[7]) end
redis.call('HSET', KEYS[1], ARGV[3], cjson.encode(line))
changed(KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[2])
return 1
"""
)
"""ARGV: user, ttl, field, quantity to add, price, added, most a line, most lines. Answers 1, or 0: full."""

CHANGE = (
    _CHANGED
    + _READ
    + """
if redis.call('EXISTS', KEYS[2]) == 0 then return nil end
local old = redis.call('HGET', KEYS[1], ARGV[3])
local line = read(old)
if not line then return 0 end
local qty = tonumber(ARGV[4])
if qty == 0 then
  redis.call('HDEL', KEYS[1], ARGV[3])
else
  line.qty = qty
  redis.call('HSET', KEYS[1], ARGV[3], cjson.encode(line))
end
changed(KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[2])
return 1
"""
)
"""ARGV: user, ttl, field, quantity (0 removes). Answers 1, or 0 where there is no such line."""

SHOW = """
local id = redis.call('GET', KEYS[2])
if not id then return nil end
return {id, redis.call('HGETALL', KEYS[1])}
"""
"""Answers the id and the lines."""

REBUILD = """
if redis.call('SET', KEYS[2], ARGV[3], 'NX', 'EX', ARGV[2]) then
  for i = 4, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
  redis.call('EXPIRE', KEYS[1], ARGV[2])
end
return 1
"""
"""ARGV: user, ttl, id, then field and line pairs. Only where Valkey does not know the cart."""

SPEND = (
    _CHANGED
    + _READ
    + """
if redis.call('GET', KEYS[2]) ~= ARGV[3] then return 0 end
local into = redis.call('GET', KEYS[4])
if into and not KEYS[5] then return into end
local function take(cart, field, qty)
  local old = redis.call('HGET', cart, field)
  if not old then return qty end
  local line = read(old)
  local left = line and line.qty - qty or 0
  if left > 0 then
    line.qty = left
    redis.call('HSET', cart, field, cjson.encode(line))
  else
    redis.call('HDEL', cart, field)
  end
  return -left
end
for i = 5, #ARGV, 2 do
  local missing = take(KEYS[1], ARGV[i], tonumber(ARGV[i + 1]))
  if into and missing > 0 then take(KEYS[5], ARGV[i], missing) end
end
redis.call('HDEL', KEYS[1], 'codes')
redis.call('SET', KEYS[2], ARGV[4])
changed(KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[2])
if into then changed(KEYS[5], KEYS[6], KEYS[3], into, ARGV[2]) end
return 1
"""
)
"""ARGV: user, ttl, the id that is spent, the next id, then field and quantity pairs that were bought. That of
a guest who has become a member since answers the member: asked again with the keys of the member's cart too,
it takes out of that one what is not in the guest's."""

MERGE = (
    _CHANGED
    + _READ
    + """
if redis.call('EXISTS', KEYS[2]) == 0 then return nil end
local lines = redis.call('HGETALL', KEYS[5])
local codes = redis.call('HGET', KEYS[5], 'codes')
if codes then
  local mine = redis.call('HGET', KEYS[1], 'codes')
  local all = mine and cjson.decode(mine) or {}
  local known = {}
  for _, code in ipairs(all) do known[code] = true end
  for _, code in ipairs(cjson.decode(codes)) do
    if not known[code] and #all < tonumber(ARGV[5]) then table.insert(all, code) end
  end
  redis.call('HSET', KEYS[1], 'codes', cjson.encode(all))
end
for i = 1, #lines, 2 do
  local line = read(lines[i + 1])
  local mine = read(redis.call('HGET', KEYS[1], lines[i]))
  if line and mine then
    mine.qty = math.min(mine.qty + line.qty, tonumber(ARGV[4]))
    line = mine
  end
  if line then redis.call('HSET', KEYS[1], lines[i], cjson.encode(line)) end
end
if #lines > 0 then
  redis.call('DEL', KEYS[5])
  redis.call('SET', KEYS[8], ARGV[1], 'EX', ARGV[2])
  changed(KEYS[5], KEYS[6], KEYS[3], ARGV[3], ARGV[2])
  changed(KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[2])
end
return #lines / 2
"""
)
"""Moves another cart's lines and codes. KEYS also: those of that cart. ARGV: user, ttl, other user, most a
line, most codes."""

SET_CODES = (
    _CHANGED
    + """
if redis.call('EXISTS', KEYS[2]) == 0 then return nil end
local old = redis.call('HGET', KEYS[1], 'codes') or ''
if old ~= ARGV[3] then return 0 end
if ARGV[4] == '' then
  redis.call('HDEL', KEYS[1], 'codes')
else
  redis.call('HSET', KEYS[1], 'codes', ARGV[4])
end
changed(KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[2])
return 1
"""
)
"""ARGV: user, ttl, the codes as they were read, as they are from now on. Answers 0 where they changed
meanwhile."""

COPIED = """
for i = 1, #ARGV, 2 do
  if redis.call('ZSCORE', KEYS[1], ARGV[i]) == ARGV[i + 1] then redis.call('ZREM', KEYS[1], ARGV[i]) end
end
return 1
"""
"""KEYS: the changed carts. ARGV: user and time pairs that were copied; later changes stay in the set."""
