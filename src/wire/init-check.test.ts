import {
	create,
	createFileRegistry,
	type DescMessage,
	toBinary,
} from "@bufbuild/protobuf";
import {
	DurationSchema,
	FileDescriptorProtoSchema,
	file_google_protobuf_struct,
	file_google_protobuf_timestamp,
	file_google_protobuf_wrappers,
	FieldDescriptorProto_Label as Label,
	FieldDescriptorProto_Type as Type,
	timestampFromDate,
	ValueSchema,
} from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { problemOfInit } from "./init-check.ts";

const field = (name: string, number: number, type: Type, further = {}) => ({
	name,
	number,
	type,
	label: Label.OPTIONAL,
	...further,
});
const repeated = { label: Label.REPEATED };
const message = (typeName: string) => ({ typeName });

/** A message with a field of every sort. */
const Everything = schemaOf([
	field("user_name", 1, Type.STRING),
	field("active", 2, Type.BOOL),
	field("picture", 3, Type.BYTES),
	field("id", 4, Type.INT64),
	field("price", 5, Type.DOUBLE),
	field("count", 6, Type.INT32),
	field("color", 7, Type.ENUM, message(".t.Color")),
	field("parent", 8, Type.MESSAGE, message(".t.Everything")),
	field("tags", 9, Type.STRING, repeated),
	field("children", 10, Type.MESSAGE, {
		...message(".t.Everything"),
		...repeated,
	}),
	field("scores", 11, Type.MESSAGE, {
		...message(".t.Everything.ScoresEntry"),
		...repeated,
	}),
	field("email", 12, Type.STRING, { oneofIndex: 0 }),
	field("other", 13, Type.MESSAGE, {
		...message(".t.Everything"),
		oneofIndex: 0,
	}),
	field("made", 14, Type.MESSAGE, message(".google.protobuf.Timestamp")),
	field("nick", 15, Type.MESSAGE, message(".google.protobuf.StringValue")),
	field("facts", 16, Type.MESSAGE, message(".google.protobuf.Struct")),
]);

function schemaOf(fields: object[]): DescMessage {
	const file = create(FileDescriptorProtoSchema, {
		name: "t.proto",
		package: "t",
		syntax: "proto3",
		dependency: ["timestamp", "wrappers", "struct"].map(
			(name) => `google/protobuf/${name}.proto`,
		),
		messageType: [
			{
				name: "Everything",
				field: fields,
				oneofDecl: [{ name: "contact" }],
				nestedType: [
					{
						name: "ScoresEntry",
						options: { mapEntry: true },
						field: [
							field("key", 1, Type.STRING),
							field("value", 2, Type.DOUBLE),
						],
					},
				],
			},
		],
		enumType: [
			{
				name: "Color",
				value: [
					{ name: "COLOR_UNSPECIFIED", number: 0 },
					{ name: "COLOR_RED", number: 1 },
				],
			},
		],
	});
	const known = [
		file_google_protobuf_timestamp,
		file_google_protobuf_wrappers,
		file_google_protobuf_struct,
	];
	const registry = createFileRegistry(file, (path) =>
		known.find(({ proto }) => proto.name === path),
	);
	return registry.getMessage("t.Everything") as DescMessage;
}

test.each<[Record<string, unknown>]>([
	[{}],
	[
		{
			userName: "Ada",
			active: true,
			picture: new Uint8Array(2),
			id: 1n,
			price: Number.NaN,
			count: 3,
			color: 1,
		},
	],
	[{ picture: [1, 2], id: "12", userName: undefined, active: null }],
	[{ id: 12, tags: [], children: [{}, { tags: ["a"] }], scores: { a: 1 } }],
	[{ parent: { parent: { userName: "x" } } }],
	[{ parent: create(Everything), contact: { case: undefined } }],
	[{ contact: { case: "email", value: "a@b" } }],
	[{ contact: { case: "other", value: { userName: "x" } } }],
	[{ made: timestampFromDate(new Date(0)), nick: "A", facts: { a: [1] } }],
	[{ made: { seconds: 1n } }],
	[{ $unknown: [], $mine: 5 }],
	[Object.create({ userName: "inherited" })],
	[
		new (class {
			userName = "an instance";
			greet(): void {}
		})(),
	],
])("%o is all right, and can be written", (init) => {
	expect(problemOfInit(Everything, init)).toBeUndefined();
	toBinary(Everything, create(Everything, init));
});

test("nested messages are checked at any depth", () => {
	expect(
		problemOfInit(ValueSchema, {
			kind: {
				case: "structValue",
				value: { fields: { a: { kind: { case: "numberValue", value: "1" } } } },
			},
		}),
	).toBe('kind.value.fields["a"].kind.value: "1" is not a number');
});

describe("a field that the message does not have is named, with", () => {
	test.each<[object, string]>([
		[
			{ usrName: "x" },
			"usrName: is not a field of t.Everything; did you mean userName?",
		],
		[
			{ user_name: "x" },
			"user_name: is not a field of t.Everything; did you mean userName?",
		],
		[
			{ email: "x" },
			'email: belongs to a oneof; write contact: { case: "email", value: … }',
		],
		[
			{ parent: { children: [{}, { zzz: 1 }] } },
			"parent.children[1].zzz: is not a field of t.Everything, which has userName, active, picture, id, price, count, color, parent, tags, children, scores, contact and others",
		],
		[
			{ contact: { case: "emial", value: "x" } },
			'contact.case: "emial" is not a case of it; did you mean "email"?',
		],
	])("%o", (init, problem) => {
		expect(problemOfInit(Everything, init)).toBe(problem);
	});
});

describe("a value of another type is named, with its place:", () => {
	test.each<[object, string]>([
		[{ userName: 5 }, "userName: 5 is not a string"],
		[{ active: "yes" }, 'active: "yes" is not true or false'],
		[{ picture: "abc" }, 'picture: "abc" is not a Uint8Array'],
		[{ id: true }, "id: true is not a bigint"],
		[{ price: "9.5" }, 'price: "9.5" is not a number'],
		[{ count: {} }, "count: an object is not a number"],
		[
			{ color: "COLOR_RED" },
			'color: "COLOR_RED" is not a number of the enum t.Color; COLOR_RED is 1',
		],
		[{ parent: 5 }, "parent: 5 is not a t.Everything"],
		[{ parent: [] }, "parent: an empty list is not a t.Everything"],
		[
			{ parent: create(DurationSchema) },
			"parent: it is a google.protobuf.Duration, not a t.Everything",
		],
		[{ tags: "a" }, 'tags: "a" is not an array'],
		[{ tags: new Set(["a"]) }, "tags: an object of class Set is not an array"],
		[{ tags: ["a", null] }, "tags[1]: null is not a string"],
		[
			{ scores: new Map() },
			"scores: a Map is not a plain object; write Object.fromEntries(…)",
		],
		[{ scores: { a: "1" } }, 'scores["a"]: "1" is not a number'],
		[
			{ contact: "a@b" },
			'contact: "a@b" is not a oneof; write { case: …, value: … }, the case being one of "email", "other"',
		],
		[
			{ contact: { case: "email", value: 5 } },
			"contact.value: 5 is not a string",
		],
		[
			{ contact: { case: "other", value: { userName: 5 } } },
			"contact.value.userName: 5 is not a string",
		],
		[
			{ made: new Date(0) },
			"made: a Date is not a google.protobuf.Timestamp; write timestampFromDate(…) of @bufbuild/protobuf/wkt",
		],
		[{ nick: { value: "A" } }, "nick: an object is not a string"],
		[{ facts: "a" }, 'facts: "a" is not an object'],
	])("%o", (init, problem) => {
		expect(problemOfInit(Everything, init)).toBe(problem);
	});
});
