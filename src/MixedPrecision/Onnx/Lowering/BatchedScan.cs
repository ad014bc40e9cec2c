using MixedPrecision.Diagnostics;

namespace MixedPrecision.Onnx.Lowering;

/// <summary>Scan in version 8: all operands have a batch axis in front, and the first input may bound each entry's steps.</summary>
internal static class BatchedScan
{
    /// <summary>A scan over the batch, whose body is the scan over the steps.</summary>
    public static void Upgrade(LoweringContext c)
    {
        if (c.Version >= 9)
        {
            c.Keep();
            return;
        }

        if (c.HasInput(0))
        {
            throw Errors.NoGradientRule("Scan-8 with sequence_lens", c.Node.DisplayName(), "the model has to be written in a newer operator set");
        }

        GraphProto steps = c.Node.Attribute("body")!.G;
        GraphBuilder inner = c.B.Inner();
        string[] inputs = [.. c.Node.Input.Skip(1)];
        string[] entry = [.. inputs.Select(_ => inner.Fresh("entry"))];
        var attributes = new List<AttributeProto> { Attributes.Of("body", steps), Attributes.Of("num_scan_inputs", c.Node.Int("num_scan_inputs", 1)) };
        if (c.Node.Ints("directions") is { } directions)
        {
            attributes.Add(Attributes.Of("scan_input_directions", directions));
        }

        string[] results = inner.NodeTo([.. c.Node.Output.Select(_ => inner.Fresh("result"))], "Scan", "", entry, [.. attributes]);
        var body = new GraphProto { Name = steps.Name + "_entry" };
        body.Input.AddRange(entry.Zip(inputs, (name, outer) => WithoutBatch(c.Type(outer)).ToProto(name)));
        inner.AppendTo(body);
        body.Output.AddRange(results.Select(r => new ValueInfoProto { Name = r }));
        c.B.NodeTo([.. c.Node.Output], "Scan", "", inputs, Attributes.Of("body", body), Attributes.Of("num_scan_inputs", inputs.Length));
    }

    private static TensorType WithoutBatch(TensorType type) => type.Shape is null ? type : type with { Shape = [.. type.Shape.Skip(1)] };
}
