using Microsoft.ML.OnnxRuntime;
using MixedPrecision.Autodiff;
using MixedPrecision.Data;
using MixedPrecision.Diagnostics;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;

namespace MixedPrecision.Losses;

/// <summary>What a loss graph reads besides outputs of the model.</summary>
internal sealed record GraphTarget(IReadOnlyDictionary<string, Tensor> Values, Place Place) : TermTarget;

/// <summary>
/// graph: the user's own ONNX model, whose inputs are outputs of the model, inputs of the model or keys of the data, by name, and whose only
/// output is the loss. Differentiated like any model. Nothing is known of its curvature.
/// </summary>
internal sealed class LossGraph : LossTerm
{
    private readonly string file;
    private readonly string loss;
    private readonly Session session;
    private readonly IReadOnlyDictionary<string, TensorType> inputs;
    private readonly IReadOnlyList<string> differentiated;

    private LossGraph(double weight, string file, string loss, Session session, IReadOnlyDictionary<string, TensorType> inputs, IReadOnlyList<string> outputs,
        IReadOnlyList<string> differentiated, IReadOnlyList<DataField> fields)
        : base("graph", weight)
    {
        this.file = file;
        this.loss = loss;
        this.session = session;
        this.inputs = inputs;
        this.differentiated = differentiated;
        Outputs = outputs;
        Fields = fields;
    }

    public override IReadOnlyList<string> Outputs { get; }

    public override bool TakesAnySize => true;

    public override IReadOnlyList<DataField> Fields { get; }

    public override IEnumerable<string> Notes => [$"the loss is the graph '{file}': no second-order rise of the loss is predicted, since its curvature is not known"];

    /// <param name="graph">The loss graph, untrusted as any model.</param>
    /// <param name="model">The model whose outputs it reads.</param>
    /// <param name="types">Types of the model's values.</param>
    /// <exception cref="MixedPrecisionException">MPB4009: the graph does not fit; MPB4001 to MPB4003: it cannot be differentiated; MPB2xxx: it is no valid model.</exception>
    public static LossGraph Create(OnnxModel graph, OnnxModel model, IReadOnlyDictionary<string, TensorType> types, double weight)
    {
        if (graph.Graph.Output.Count != 1)
        {
            throw Errors.LossGraphUnusable(graph.DisplayName, $"it has {graph.Graph.Output.Count} outputs ({Wording.List([.. graph.Graph.Output.Select(o => o.Name)])}), and the one output of a loss graph is the loss");
        }

        var inputs = graph.Inputs.ToDictionary(i => i.Name, i => TensorType.Read(i.Type));
        string[] outputs = [.. inputs.Keys.Where(i => model.Graph.Output.Any(o => o.Name == i))];
        if (outputs.Length == 0)
        {
            throw Errors.LossGraphUnusable(
                graph.DisplayName,
                $"none of its inputs ({Wording.List(inputs.Keys)}) has the name of an output of the model ({Wording.List([.. model.Graph.Output.Select(o => o.Name)])})");
        }

        string[] differentiated = [.. outputs.Where(o => ElementType.IsFloating(inputs[o].ElementType) && types.GetValueOrDefault(o) is { } type && ElementType.IsFloating(type.ElementType))];
        DataField[] fields = [.. inputs.Where(i => !outputs.Contains(i.Key) && model.Inputs.All(m => m.Name != i.Key)).Select(i => new DataField(i.Key, i.Value.ElementType))];
        ModelProto gradient = GradientModel.Build(graph, graph.Graph.Output[0].Name, differentiated);
        // The gradient model is in single precision wherever the graph is in half.
        var types32 = gradient.Graph.Input.ToDictionary(i => i.Name, i => TensorType.Read(i.Type));
        try
        {
            return new LossGraph(weight, graph.DisplayName, graph.Graph.Output[0].Name, Session.Create(gradient, SessionSettings.Plain, graph.Folder), types32, outputs, differentiated, fields);
        }
        catch (OnnxRuntimeException e)
        {
            throw Errors.RuntimeRejects(graph.DisplayName, e.Message.Replace('\n', ' '));
        }
    }

    public override TermTarget Target(Sample sample, int number, IReadOnlyDictionary<string, Tensor> outputs) => new GraphTarget(
        inputs.Keys.Where(i => !Outputs.Contains(i)).ToDictionary(i => i, i => sample.Find(i) ?? throw Errors.DataMissingKey(sample.Place, i, "the loss graph's input", [.. sample.Fields.Keys])),
        sample.Place);

    public override double Value(IReadOnlyDictionary<string, Tensor> outputs, TermTarget target) => Scalar(Run(outputs, (GraphTarget)target, [loss])[loss], (GraphTarget)target);

    public override double AddGradient(IReadOnlyDictionary<string, Tensor> outputs, TermTarget target, double factor, GradientSums gradients)
    {
        IReadOnlyDictionary<string, Tensor> results = Run(outputs, (GraphTarget)target, [loss, .. differentiated.Select(d => d + ".grad")]);
        foreach (string output in differentiated)
        {
            Span<float> sum = gradients.Of(output);
            System.Numerics.Tensors.TensorPrimitives.MultiplyAdd(Floats.ToFloat(results[output + ".grad"]).Values<float>(), (float)factor, sum, sum);
        }

        return Scalar(results[loss], (GraphTarget)target);
    }

    public override void Dispose()
    {
        session.Dispose();
        base.Dispose();
    }

    private double Scalar(Tensor value, GraphTarget target) => value.Count == 1 && ElementType.IsFloating(value.ElementType)
        ? value.ElementType == ElementType.Double ? value.Values<double>()[0] : Floats.ToFloat(value).Values<float>()[0]
        : throw Errors.LossGraphUnusable(file, $"its output is {value} on the sample {target.Place}, and a loss is one floating number");

    private IReadOnlyDictionary<string, Tensor> Run(IReadOnlyDictionary<string, Tensor> outputs, GraphTarget target, IReadOnlyList<string> wanted)
    {
        try
        {
            return session.Run(inputs.ToDictionary(i => i.Key, i => Fit(target.Values.GetValueOrDefault(i.Key) ?? outputs[i.Key], i.Value.ElementType)), wanted);
        }
        catch (OnnxRuntimeException e)
        {
            throw Errors.LossGraphUnusable(file, $"ONNX Runtime does not run it on the sample {target.Place}: {e.Message.Replace('\n', ' ')}");
        }
    }

    /// <summary>A floating value in the floating type that is asked for.</summary>
    private static Tensor Fit(Tensor value, int elementType) =>
        value.ElementType == elementType || !ElementType.IsFloating(value.ElementType) ? value
        : elementType == ElementType.Float ? Floats.ToFloat(value)
        : elementType == ElementType.Double ? Floats.ToDouble(Floats.ToFloat(value))
        : value;
}
