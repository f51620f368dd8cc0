package orgsim

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// object is a JSON object whose fields are taken out one by one; what is
// missing or has the wrong type is noted as a violation. Names count to the
// letter: encoding/json would take "VendorCallKey" for "vendorCallKey" where
// it fills a struct, and so let a misspelt client pass.
type object struct {
	fields   map[string]json.RawMessage
	path     string // of the object, with a dot at its end; empty: the body
	problems []string
}

func (ob *object) note(field, what string) {
	ob.problems = append(ob.problems, ob.path+field+" "+what)
}

// field is the raw value; null counts as missing.
func (ob *object) field(name string) (json.RawMessage, bool) {
	raw, ok := ob.fields[name]
	return raw, ok && string(raw) != "null"
}

// text is a required string that is not empty.
func (ob *object) text(name string) string {
	if s := ob.optional(name); s != "" {
		return s
	}
	if raw, ok := ob.field(name); !ok || string(raw) == `""` {
		ob.note(name, "is required")
	}
	return ""
}

// optional is a string, or empty.
func (ob *object) optional(name string) string {
	raw, ok := ob.field(name)
	if !ok {
		return ""
	}
	var s string
	if raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
		ob.note(name, "must be a string")
	}
	return s
}

// millis is a required whole number of milliseconds since the epoch.
func (ob *object) millis(name string) int64 {
	raw, ok := ob.field(name)
	if !ok {
		ob.note(name, "is required")
		return 0
	}
	ms, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil || ms < 0 {
		ob.note(name, "must be a whole number of milliseconds since 1970-01-01 UTC")
	}
	return ms
}

// whole is a whole number from 0, such as a count or seconds.
func (ob *object) whole(name string) {
	if n, err := strconv.ParseInt(string(ob.fields[name]), 10, 64); err != nil || n < 0 {
		ob.note(name, "must be a whole number from 0")
	}
}

// moment is an ISO 8601 time, zero where it is missing.
func (ob *object) moment(name string) time.Time {
	s := ob.optional(name)
	if s == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		ob.note(name, "must be a time like 2019-07-02T17:32:28Z")
	}
	return t
}

// flag is a boolean, false where it is missing.
func (ob *object) flag(name string) bool {
	raw, ok := ob.field(name)
	if ok && string(raw) != "true" && string(raw) != "false" {
		ob.note(name, "must be true or false")
	}
	return string(raw) == "true"
}

// oneOf is a string of a closed set, or empty.
func (ob *object) oneOf(name string, values ...string) string {
	s := ob.optional(name)
	if s == "" {
		return ""
	}
	for _, v := range values {
		if s == v {
			return s
		}
	}
	ob.note(name, fmt.Sprintf("must be one of %v", values))
	return ""
}

// objects is a required array of objects that is not empty. The objects are
// children: their violations are their own.
func (ob *object) objects(name string) []*object {
	raw, ok := ob.field(name)
	if !ok {
		ob.note(name, "is required")
		return nil
	}
	var all []map[string]json.RawMessage
	if json.Unmarshal(raw, &all) != nil {
		ob.note(name, "must be an array of objects")
		return nil
	}
	if len(all) == 0 {
		ob.note(name, "must not be empty")
	}
	children := make([]*object, len(all))
	for i, fields := range all {
		children[i] = &object{fields: fields, path: ob.path + name + "[" + strconv.Itoa(i) + "]."}
	}
	return children
}

// isSalesforceID says whether a string is the id of a VoiceCall record:
// 0LQ and 15 or 18 letters and digits in all.
func isSalesforceID(s string) bool {
	return len(s) > 3 && s[:3] == "0LQ" && isRecordID(s)
}

// isUserID says whether a string is the id of a Salesforce user.
func isUserID(s string) bool {
	return len(s) > 3 && s[:3] == "005" && isRecordID(s)
}

func isRecordID(s string) bool {
	if len(s) != 15 && len(s) != 18 {
		return false
	}
	for _, c := range []byte(s) {
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z') {
			return false
		}
	}
	return true
}
